package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/ledger"
)

// The rules by which connections are refused.
const (
	RulePeer        = "peer"        // the caller is somebody else
	RuleConnections = "connections" // there are too many
)

// start serves a sandbox. b.mu is held.
func (b *Broker) start(s *sandbox) {
	if s.serves {
		return
	}
	s.serves = true
	s.running.Go(func() { b.accept(s) })
}

// end closes a sandbox's socket and connections, and waits for them.
func (s *sandbox) end() {
	s.stop()
	_ = s.listener.Close()
	s.running.Wait()
}

func (b *Broker) accept(s *sandbox) {
	const most = time.Second
	wait := time.Duration(0)
	for {
		c, err := s.listener.AcceptUnix()
		switch {
		case err == nil:
			wait = 0
			s.running.Go(func() { b.connection(s, c) })
			continue
		case s.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		}
		// No files are left, as a rule. The backlog waits as well.
		wait = min(max(2*wait, 5*time.Millisecond), most)
		b.note("accept.failed", fmt.Sprintf("%s: %v", s.name, err))
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// share is how many connections a sandbox may have, so that all of them together
// leave room for each.
func (b *Broker) share() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(1, min(b.o.MaxConns, b.files/max(1, len(b.sandboxes))))
}

// connection serves one connection, if it comes from where it should.
func (b *Broker) connection(s *sandbox, c *net.UnixConn) {
	defer c.Close()
	defer b.survive(s)
	sess := &session{b: b, sandbox: s, container: s.binding().Container}
	if !s.enter(b.share()) {
		sess.turnAway(c, deny(RuleConnections, http.StatusServiceUnavailable, "the sandbox has too many connections open"))
		return
	}
	defer s.leave()
	b.conns.Add(1)
	defer b.conns.Add(-1)
	if err := b.admit(s, sess, c); err != nil {
		// Whoever that is learns nothing.
		if sess.recordDenial(ledger.Entry{Sandbox: s.name, Container: sess.container, Rule: RulePeer, Reason: err.Error()}) {
			b.o.Notify(Notice{What: "caller.refused", Sandbox: s.name, Text: err.Error()})
		}
		return
	}
	sess.container = s.binding().Container         // which it may have got in the meantime
	_ = front.ServeConn(s.ctx, c, b.o.Times, sess) // how it ended is nobody's concern
}

// survive keeps a fault of ours in one request from ending everybody's. What was
// recorded of the request stays, as an intent without an outcome. The fault's own words
// could hold anything, so only those of the runtime are passed on.
func (b *Broker) survive(s *sandbox) {
	p := recover()
	if p == nil {
		return
	}
	text := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		text = err.Error()
	}
	b.o.Notify(Notice{What: "request.panicked", Sandbox: s.name, Text: text + "\n" + string(debug.Stack())})
}

// admit looks at who is at the other end.
func (b *Broker) admit(s *sandbox, sess *session, c *net.UnixConn) error {
	p, err := attest(c)
	if b.o.attest != nil {
		return b.o.attest(sess, p)
	}
	if err != nil {
		return err
	}
	const most = 10 * time.Second // for the engine's answer
	ctx, cancel := context.WithTimeout(s.ctx, most)
	defer cancel()
	want, err := b.pinned(ctx, s)
	if err != nil {
		return err
	}
	if !want.equal(p.cgroup) {
		return fmt.Errorf("%w: process %d of uid %d is in %s, want %s", ErrPeer, p.pid, p.uid, p.cgroup, want)
	}
	return nil
}

// turnAway answers a connection that gets no further.
func (s *session) turnAway(c net.Conn, d *denial) {
	s.recordDenial(ledger.Entry{Sandbox: s.sandbox.name, Container: s.container, Rule: d.rule, Reason: d.reason, Status: d.status})
	body := problemError{Type: typeOf(d.status), Message: d.reason, Rule: d.rule}.body()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		d.status, http.StatusText(d.status), len(body), body)
}
