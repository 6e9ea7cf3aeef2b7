package docker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

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
	return d.latest.said()
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
