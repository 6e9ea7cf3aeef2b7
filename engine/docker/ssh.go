package docker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

// sshTarget is an ssh:// address: who, where, and the engine's socket there.
type sshTarget struct{ user, host, port, socket string }

// What reaches ssh's command line. A name must not begin as an option does.
var (
	sshUser = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@\\+-]*$`)
	sshHost = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$`)
)

// parseSSH reads an ssh address. What is wrong is not quoted: it may hold a
// password.
func parseSSH(address string) (sshTarget, error) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" {
		return sshTarget{}, errors.New("it cannot be read")
	}
	t := sshTarget{user: u.User.Username(), host: u.Hostname(), port: u.Port(), socket: u.Path}
	_, password := u.User.Password()
	switch {
	case password:
		return sshTarget{}, errors.New("it holds a password, which ssh does not take; use a key")
	case u.RawQuery != "" || u.Fragment != "":
		return sshTarget{}, errors.New("a ? or # has no meaning in it")
	case !sshHost.MatchString(t.host):
		return sshTarget{}, errors.New("it names no host")
	case u.User != nil && !sshUser.MatchString(t.user):
		return sshTarget{}, errors.New("its user name is none")
	case strings.ContainsFunc(t.socket, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return sshTarget{}, errors.New("its path holds control characters")
	}
	if strings.Trim(t.socket, "/") == "" {
		t.socket = ""
	}
	return t, nil
}

func (t sshTarget) String() string {
	host := t.host
	if t.port != "" {
		host = net.JoinHostPort(t.host, t.port)
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.user != "" {
		host = t.user + "@" + host
	}
	return oneLine("ssh://" + host + t.socket)
}

// args is ssh's command line. The user's own configuration holds, but for what
// would make ssh ask questions, or break when several run at once.
func (t sshTarget) args() []string {
	args := []string{"-T",
		"-o", "BatchMode=yes", // nobody is there to answer
		"-o", "ConnectTimeout=20", // less than DefaultTimeout, so that ssh itself says what is wrong
		"-o", "ControlMaster=no", // an existing master is used, but none of ours becomes one
		"-o", "ClearAllForwardings=yes", // a configured port is taken by the first of several
	}
	if t.user != "" {
		args = append(args, "-l", t.user)
	}
	if t.port != "" {
		args = append(args, "-p", t.port)
	}
	command := "docker system dial-stdio"
	if t.socket != "" {
		// A shell reads this at the other end.
		command = "docker --host='unix://" + strings.ReplaceAll(t.socket, "'", `'\''`) + "' system dial-stdio"
	}
	return append(args, "--", t.host, command)
}

// login is what a person would type to try it.
func (t sshTarget) login() string {
	s := "ssh "
	if t.port != "" {
		s += "-p " + t.port + " "
	}
	if t.user != "" {
		s += t.user + "@"
	}
	return s + t.host
}

// maxLogins is how many logins are on their way at a time: by default sshd drops
// some of more than ten (sshd_config(5), MaxStartups), and others log in too.
const maxLogins = 4

// sshDialer starts an ssh per connection, as the docker command does, and knows
// those that live.
type sshDialer struct {
	logins chan struct{} // one element per login on its way

	mu     sync.Mutex
	live   map[*sshConn]bool
	latest *sshConn
	closed bool
}

func newSSHDialer() *sshDialer {
	return &sshDialer{logins: make(chan struct{}, maxLogins), live: map[*sshConn]bool{}}
}

var (
	errSSHClosed = errors.New("the engine was closed")
	errNoHTTP    = errors.New("what answers there does not speak HTTP")
)

// dial starts ssh and returns when the engine has answered through it: that is
// the only sign that a login worked.
func (d *sshDialer) dial(ctx context.Context, target sshTarget) (net.Conn, error) {
	select {
	case d.logins <- struct{}{}:
		defer func() { <-d.logins }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := d.start(target)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	err = knock(c)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (d *sshDialer) start(target sshTarget) (*sshConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errSSHClosed
	}
	c, err := startSSH(target, d.forget)
	if err != nil {
		return nil, err
	}
	d.live[c], d.latest = true, c
	return c, nil
}

// knock makes the smallest request there is.
func knock(c net.Conn) error {
	req, err := http.NewRequest(http.MethodHead, "http://"+client.DummyHost+"/_ping", nil)
	if err != nil {
		return err
	}
	if err := req.Write(c); err != nil {
		return err
	}
	br := bufio.NewReader(&boundedReader{r: c, left: maxHeader})
	resp, err := http.ReadResponse(br, req)
	switch link := (*sshError)(nil); {
	case errors.As(err, &link), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return err
	case err != nil, br.Buffered() > 0:
		return errNoHTTP
	}
	return resp.Body.Close()
}

func (d *sshDialer) forget(c *sshConn) {
	d.mu.Lock()
	delete(d.live, c)
	d.mu.Unlock()
}

// said is what the latest ssh has said so far.
func (d *sshDialer) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.latest == nil {
		return ""
	}
	return d.latest.stderr.String()
}

// close ends every ssh, also those of streams, and returns when they are gone.
func (d *sshDialer) close() {
	d.mu.Lock()
	d.closed = true
	var all []*sshConn
	for c := range d.live {
		all = append(all, c)
	}
	d.mu.Unlock()
	var group sync.WaitGroup
	for _, c := range all {
		group.Go(func() { c.Close() })
	}
	group.Wait()
}

// sshError is an ssh that ended with an exit code.
type sshError struct {
	target sshTarget
	code   int
	said   string // the end of its stderr, in one line of at most 4 KiB
}

func (e *sshError) Error() string {
	if e.said == "" {
		return fmt.Sprintf("ssh ended with exit code %d without a word", e.code)
	}
	const most = 300 // its last words matter most
	if text := []rune(e.said); len(text) > most {
		return "ssh says: …" + string(text[len(text)-most:])
	}
	return "ssh says: " + e.said
}

// explainSSH says what to do about an ssh that failed; nil if err is none.
func explainSSH(where Endpoint, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return hintedf("install an ssh client (OpenSSH)", "%w: %s: there is no ssh command here", engine.ErrUnreachable, where.Address)
	}
	if errors.Is(err, errNoHTTP) {
		return hintedf("`"+where.ssh.login()+" true` must print nothing: see what the shell's start-up files say there",
			"%w: %s: %w", engine.ErrBadAnswer, where.Address, errNoHTTP)
	}
	var e *sshError
	if !errors.As(err, &e) {
		return nil
	}
	sentinel, login := engine.ErrUnreachable, e.target.login()
	hint := "see what `" + login + " docker version` says"
	says := func(text string) bool { return strings.Contains(strings.ToLower(e.said), text) }
	switch {
	case says("remote host identification has changed"):
		hint = "the host has another key than before: make sure that it is the right host, then mend known_hosts (`ssh-keygen -R`)"
	case says("host key verification failed"):
		hint = "run `" + login + "` once, compare the host's key and accept it"
	case says("permission denied ("), says("too many authentication failures"):
		sentinel = engine.ErrPermission
		hint = "make `" + login + " true` work without a question: load a key into the agent (ssh-add) and let the host know it (ssh-copy-id)"
	case e.code == 127, says("command not found"):
		hint = "the docker command must be in the PATH of `" + login + " docker version`"
	case says("permission denied"):
		sentinel = engine.ErrPermission
		hint = "that user must be allowed to use Docker at the other end (a member of the group docker)"
	case says("cannot connect to the docker daemon"), says("no such file or directory"):
		hint = "start Docker at the other end, or name its socket: ssh://user@host/path/to/docker.sock"
	}
	return hintedf(hint, "%w: %s: %s", sentinel, where.Address, e.Error())
}
