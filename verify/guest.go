package verify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/probe"
)

// ErrGuest wraps everything that goes wrong in talking to a guest. The guest
// runs beside whatever the image contains and is believed in nothing but what
// it observed, and in that only within bounds.
var ErrGuest = errors.New("the guest")

// guest is the host's end of one guest process.
type guest struct {
	stream *engine.Stream
	nonce  string
	role   probe.Role
	lines  *bufio.Scanner
	seq    int
	stderr text.Tail
}

// newGuest takes over a stream. Its context ends it: a guest that hangs is cut
// off, and every pending read returns.
func newGuest(ctx context.Context, stream *engine.Stream, nonce string, role probe.Role) *guest {
	g := &guest{stream: stream, nonce: nonce, role: role, stderr: text.Tail{Most: 512}}
	// One byte more than allowed, so that "too much" can be told from "ended".
	g.lines = bufio.NewScanner(io.LimitReader(stream.Stdout, probe.MaxStream+1))
	g.lines.Buffer(make([]byte, 0, 64<<10), probe.MaxLine)
	context.AfterFunc(ctx, func() { stream.Close() })
	if stream.Stderr != nil {
		go io.Copy(&g.stderr, stream.Stderr)
	}
	return g
}

// do sends one plan and hands each observation to record, which runs on the
// caller's goroutine.
func (g *guest) do(ctx context.Context, plan probe.Plan, record func(probe.Observation)) error {
	plan.Nonce, plan.Role = g.nonce, g.role
	line, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	if _, err := g.stream.Stdin.Write(append(line, '\n')); err != nil {
		return g.broken(ctx, fmt.Errorf("ended too early: %w", err))
	}
	if g.seq == 0 {
		l, err := g.next(ctx)
		if err != nil {
			return err
		}
		if l.Observation != nil || l.Done {
			return g.broken(ctx, errors.New("did not greet first"))
		}
	}
	waiting := map[string]bool{}
	for _, name := range plan.Probes {
		waiting[name] = true
	}
	for {
		l, err := g.next(ctx)
		switch {
		case err != nil:
			return err
		case l.Done && l.Observation != nil, !l.Done && l.Observation == nil:
			return g.broken(ctx, errors.New("sent a line that is neither an observation nor an end"))
		case l.Done && len(waiting) > 0:
			return g.broken(ctx, fmt.Errorf("ended without reporting on %d probes", len(waiting)))
		case l.Done:
			return nil
		case !waiting[l.Observation.Probe]:
			return g.broken(ctx, errors.New("reported on a probe it was not asked for, or twice"))
		}
		delete(waiting, l.Observation.Probe)
		record(*l.Observation)
	}
}

// next reads one line and refuses what is not exactly one of ours.
func (g *guest) next(ctx context.Context) (probe.Line, error) {
	var l probe.Line
	if !g.lines.Scan() {
		err := g.lines.Err()
		if err == nil {
			err = errors.New("ended too early")
		}
		return l, g.broken(ctx, err)
	}
	l, err := parseLine(g.lines.Bytes(), g.nonce, g.seq)
	if err != nil {
		return l, g.broken(ctx, err)
	}
	g.seq++
	return l, nil
}

// parseLine decodes and validates one line of guest output.
func parseLine(line []byte, nonce string, seq int) (probe.Line, error) {
	var l probe.Line
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		// A runtime that cannot start the process says so here.
		return l, fmt.Errorf("sent a line that cannot be read (%w): %.200s", err, text.OneLine(string(line)))
	}
	if dec.More() {
		return l, errors.New("sent more than one value on a line")
	}
	switch {
	case l.Nonce != nonce:
		return l, errors.New("sent a line without the nonce: something else writes to its output")
	case l.Seq != seq:
		return l, fmt.Errorf("lost or repeated a line (number %d where %d was due)", l.Seq, seq)
	}
	if l.Observation != nil {
		return l, validate(*l.Observation)
	}
	return l, nil
}

func validate(o probe.Observation) error {
	texts := []string{o.Probe, o.Error}
	if len(o.Attempts) > probe.MaxAttempts || len(o.Facts) > probe.MaxAttempts {
		return errors.New("sent more attempts than there may be")
	}
	for _, a := range o.Attempts {
		texts = append(texts, a.Act, a.On, a.Errno, a.Note, a.Mount, a.Bits)
		if a.OK != (a.Errno == "") {
			return errors.New("sent an attempt that both succeeded and failed, or neither")
		}
	}
	for k, v := range o.Facts {
		texts = append(texts, k, v)
	}
	for _, t := range texts {
		if len(t) > probe.MaxText+64 || !utf8.ValidString(t) {
			return errors.New("sent a text that is too long or not UTF-8")
		}
	}
	if o.Duration < 0 {
		return errors.New("sent a negative duration")
	}
	return nil
}

// broken says what went wrong, with what the guest last said on stderr.
func (g *guest) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w did not finish: %w", ErrGuest, context.Cause(ctx))
	}
	if s := text.OneLine(g.stderr.String()); s != "" {
		return fmt.Errorf("%w %w (it said: %s)", ErrGuest, err, s)
	}
	return fmt.Errorf("%w %w", ErrGuest, err)
}
