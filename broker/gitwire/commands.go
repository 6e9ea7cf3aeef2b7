package gitwire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// RefUpdate is one command of a push, or one ref of a server's answer.
type RefUpdate struct {
	Ref string // the full name
	Old string // the id that the client takes for the ref's; zeros: there is no such ref
	New string // the id that it is to have; zeros: it is to go
}

// Creates says whether the ref is new.
func (u RefUpdate) Creates() bool { return isZero(u.Old) && !isZero(u.New) }

// Deletes says whether the ref is to go.
func (u RefUpdate) Deletes() bool { return isZero(u.New) }

func isZero(id string) bool { return strings.Trim(id, "0") == "" }

// Push is the beginning of a git-receive-pack request.
type Push struct {
	Updates      []RefUpdate
	Capabilities Capabilities
	Options      []string // push options
	// Probe is a request without commands, four bytes long. Git sends it before a
	// big push, to see whether it would be let in. It is to be passed on.
	Probe bool
	// Head is what was read, byte by byte: to be sent on before the pack.
	Head []byte
	// Rest is what follows: the pack, or nothing if refs are only deleted.
	Rest io.Reader
}

// HasPack says whether a pack follows.
func (p *Push) HasPack() bool {
	for _, u := range p.Updates {
		if !u.Deletes() {
			return true
		}
	}
	return false
}

// ErrCommands says that the beginning of a push can't be read, in one way and one way
// only.
var ErrCommands = errors.New("the push can't be read")

// ReadCommands reads a push up to its pack, of which it takes no more than a
// buffer's worth into Rest. An error wraps [ErrCommands], or is the reader's own. The
// Push is never nil: after an error it has what was understood, so that the answer
// ([Unreadable]) can be framed as the client asked.
//
// It refuses what two readers could take differently: a NUL behind any other command
// than the first (git takes capabilities from there, too), an empty packet (older git
// takes it for the end of the list), upper-case ids, two commands for one ref.
func ReadCommands(r io.Reader, l Limits) (*Push, error) {
	buffered := bufio.NewReaderSize(r, 4096)
	p := &Push{Rest: buffered, Capabilities: Capabilities{Format: SHA1}}
	c := &commandReader{push: p, limits: l, from: buffered, refs: map[string]bool{}}
	if err := c.read(); err != nil {
		if c.failed != nil && !errors.Is(c.failed, io.EOF) && !errors.Is(c.failed, io.ErrUnexpectedEOF) {
			return p, c.failed
		}
		return p, fmt.Errorf("%w: %w", ErrCommands, err)
	}
	return p, nil
}

type commandReader struct {
	push    *Push
	limits  Limits
	from    *bufio.Reader
	packets int
	refs    map[string]bool
	failed  error // the reader's own
}

// Read keeps every byte that was read.
func (c *commandReader) Read(p []byte) (int, error) {
	room := c.limits.CommandBytes - len(c.push.Head)
	if room <= 0 {
		return 0, fmt.Errorf("its commands have more than %d bytes", c.limits.CommandBytes)
	}
	n, err := c.from.Read(p[:min(len(p), room)])
	c.push.Head = append(c.push.Head, p[:n]...)
	if err != nil {
		c.failed = err
	}
	return n, err
}

// next reads a packet of a list, and says whether there was one before the flush.
func (c *commandReader) next() (string, bool, error) {
	k, payload, err := readPacket(c)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "", false, errors.New("it ends before its commands do")
	case err != nil:
		return "", false, err
	case k == flush:
		return "", false, nil
	case k != data:
		return "", false, errors.New("it has a packet among its commands that belongs to protocol version 2, which has no push")
	}
	if c.packets++; c.packets > c.limits.Commands {
		return "", false, fmt.Errorf("it has more than %d commands and options", c.limits.Commands)
	}
	line := strings.TrimSuffix(string(payload), "\n")
	if line == "" {
		return "", false, errors.New("it has an empty packet among its commands")
	}
	return line, true, nil
}

func (c *commandReader) read() error {
	p := c.push
	for {
		line, more, err := c.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := c.line(line); err != nil {
			return err
		}
	}
	if len(p.Updates) == 0 {
		if c.packets > 0 {
			return errors.New("it has no command")
		}
		if _, err := c.from.Peek(1); !errors.Is(err, io.EOF) {
			return errors.New("something follows, and it has no command")
		}
		p.Probe = true
		return nil
	}
	if !p.Capabilities.Options {
		return nil
	}
	for {
		option, more, err := c.next()
		if err != nil || !more {
			return err
		}
		p.Options = append(p.Options, option)
	}
}

// line reads one line of the list.
func (c *commandReader) line(line string) error {
	p := c.push
	line, list, has := strings.Cut(line, "\x00")
	if has && len(p.Updates) > 0 {
		return errors.New("a command that is not the first has a NUL in it")
	}
	if has {
		var err error
		if p.Capabilities, err = parseCapabilities(list); err != nil {
			return err
		}
	}
	f := p.Capabilities.Format
	if id, ok := strings.CutPrefix(line, "shallow "); ok {
		if has || len(p.Updates) > 0 || !f.validID(id) && !SHA256.validID(id) {
			return errors.New("it has a shallow line that is malformed or in the wrong place")
		}
		return nil
	}
	if line == "push-cert" {
		return errors.New("it is signed (git push --signed), which is not supported: push without --signed, or set push.gpgSign to false")
	}
	// OLD SP NEW SP REF, where the ids have one length: no other split is tried.
	n := 2 * f.size()
	if len(line) < 2*n+3 || line[n] != ' ' || line[2*n+1] != ' ' || !f.validID(line[:n]) || !f.validID(line[n+1:2*n+1]) {
		return fmt.Errorf("it has a command that is not OLD NEW REF with ids of %s: %.200q", f, line)
	}
	u := RefUpdate{Ref: line[2*n+2:], Old: line[:n], New: line[n+1 : 2*n+1]}
	if isZero(u.Old) && isZero(u.New) {
		return fmt.Errorf("its command for %.200q has two ids of zeros", u.Ref)
	}
	if c.refs[u.Ref] {
		return fmt.Errorf("it has two commands for %.200q", u.Ref)
	}
	c.refs[u.Ref] = true
	p.Updates = append(p.Updates, u)
	return nil
}
