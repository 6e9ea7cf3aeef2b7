package broker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/tightship-dev/tightship/broker/gitwire"
	"github.com/tightship-dev/tightship/ledger"
)

// push is a push whose commands are allowed. Its pack is sent on as it comes, and held
// back at its end until it is known that nothing is forced.
type push struct {
	c         *call
	commands  *gitwire.Push
	decision  gitwire.Decision
	inspector *gitwire.Inspector
	report    *gitwire.Report

	from   *io.PipeReader
	to     *io.PipeWriter
	copied chan error // what stopped the copying, once
}

// gitPush reads a push's commands and decides on them.
func (c *call) gitPush(access gitwire.Access) (d *denial, answered bool) {
	if c.body == nil {
		return deny(RuleGit, http.StatusBadRequest, "a push without a body"), false
	}
	in, err := gitwire.Body(c.body, c.x.Head.Header.Get("Content-Encoding"), int64(c.live.Limits.Body))
	if err != nil {
		return deny(RuleGit, http.StatusUnsupportedMediaType, "%v", err), false
	}
	p, err := gitwire.ReadCommands(in, gitwire.DefaultLimits())
	if err != nil {
		if r := c.body.refusal(); r != nil {
			return fromRefusal(r), false
		}
		kind, body := gitwire.Unreadable(p, err)
		return nil, c.gitAnswer(kind, body, "unreadable", err.Error(), nil)
	}
	s := &push{c: c, commands: p, report: gitwire.NewReport(p)}
	c.git.refs = refsOf(p.Updates)
	if !p.Probe {
		if s.decision = access.Decide(p); !s.decision.Allowed() {
			kind, body := gitwire.Refusal(p, s.decision)
			rule, reason := why(s.decision)
			return nil, c.gitAnswer(kind, body, rule, reason, c.git.refs)
		}
	}
	s.inspector = &gitwire.Inspector{Format: p.Capabilities.Format, Limits: gitwire.DefaultLimits(), Ask: s.decision.Ask()}
	s.inspector.Server = &gitwire.Upstream{
		Transport: asking{c}, URL: c.live.Route.Upstream + "/" + c.git.call.Repository + ".git",
		Format: s.inspector.Format, Limits: s.inspector.Limits, Bytes: askBytes,
	}
	c.x.Head.Header.Del("Content-Encoding")
	c.git.push, c.length = s, -1
	return nil, false
}

// askBytes is how much a server may answer when it is asked about a push.
const askBytes = 1 << 30

// start begins to send the push, and returns the body of the request.
func (s *push) start(ctx context.Context) io.ReadCloser {
	s.from, s.to = io.Pipe()
	s.copied = make(chan error, 1)
	go func() {
		_, err := s.to.Write(s.commands.Head)
		if err == nil && s.commands.HasPack() {
			err = s.inspect(ctx)
		}
		s.copied <- err
		s.to.CloseWithError(err) // nil is the end
	}()
	return s.from
}

// inspect sends the pack. To look into one is work, so a sandbox has one looked into at a
// time, and others have their share of the processors.
func (s *push) inspect(ctx context.Context) error {
	if len(s.inspector.Ask) > 0 {
		turn := s.c.sandbox.inspecting
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.inspector.Copy(ctx, s.to, s.commands.Rest)
}

// stopped answers for a push that was broken off, if that is why the request failed.
func (s *push) stopped(failed error) bool {
	if s.from == nil {
		return false
	}
	s.from.CloseWithError(failed)
	err := <-s.copied
	var force *gitwire.ForceError
	var kind string
	var body []byte
	switch {
	case errors.As(err, &force):
		s.decision = s.decision.Settle(force.Answers)
		kind, body = gitwire.Refusal(s.commands, s.decision)
		s.c.rule, s.c.complaint = why(s.decision)
	case errors.Is(err, gitwire.ErrPack):
		kind, body = gitwire.Unreadable(s.commands, err)
		s.c.rule, s.c.complaint = "pack", err.Error()
	default:
		return false
	}
	s.c.rule = RuleGit + ": " + s.c.rule
	if _, err := io.Copy(io.Discard, s.commands.Rest); err != nil {
		return false
	}
	s.c.status = http.StatusOK
	s.c.x.Respond(http.StatusOK, http.Header{"Content-Type": {kind}, "Cache-Control": {"no-cache"}}, body)
	return true
}

// results is what the server said, in one line; "" where all went well.
func (s *push) results() string {
	results, whole := s.report.Results()
	var all []string
	for _, u := range s.commands.Updates {
		if r, ok := results[u.Ref]; !ok {
			all = append(all, u.Ref+": not known")
		} else if !r.OK {
			all = append(all, u.Ref+": "+r.Reason)
		}
	}
	if !whole && len(s.commands.Updates) > 0 {
		all = append(all, "the server's report is not whole")
	}
	return strings.Join(all, "; ")
}

// asking sends what the broker itself asks of the server: a use like any other, with
// records of its own.
type asking struct{ c *call }

func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	e := a.c.entry
	e.Kind, e.Decision, e.Method, e.Path = ledger.Intent, "allowed", r.Method, clip(r.URL.Path)
	e.Reason = "asks whether a push drops commits"
	seq, err := a.c.b.record(r.Context(), e)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.GetBody = nil
	if r.Body == nil || r.Body == http.NoBody {
		r.Body = empty{}
	}
	r.Header["Accept-Encoding"] = []string{"identity"}
	err = a.c.live.vault.use(r.Context(), func(b []byte) { attach(r, a.c.live.Attach, b) })
	var resp *http.Response
	if err == nil {
		resp, err = a.c.live.transport.RoundTrip(r)
	}
	e.Kind, e.Of = ledger.Outcome, seq
	if err != nil {
		e.Reason = "no answer"
	} else {
		e.Status = resp.StatusCode
	}
	a.c.b.later(e)
	return resp, err
}
