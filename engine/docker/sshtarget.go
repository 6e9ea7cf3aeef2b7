package docker

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/tightship-dev/tightship/internal/text"
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
	return text.OneLine("ssh://" + host + t.socket)
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
