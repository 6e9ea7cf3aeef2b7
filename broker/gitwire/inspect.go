package gitwire

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Inspector sends the pack of a push on, and finds out on the way which updates are
// fast-forwards. The zero value, with a Format, asks nothing.
type Inspector struct {
	Format Format
	Limits Limits
	// Ask are the updates that have to be fast-forwards, see [Decision.Ask].
	Ask []RefUpdate
	// Server, if not nil, is asked where the pack alone doesn't tell.
	Server Ancestry
}

// Ancestry says whether older is an ancestor of one of newer, which a server has. A
// false is what it says where it is not sure. [Upstream] is one.
type Ancestry interface {
	Descends(ctx context.Context, newer []string, older string) (bool, error)
}

// ForceError says that a pack was stopped before its end.
type ForceError struct {
	// Answers are for [Decision.Settle].
	Answers map[RefUpdate]Answer
	// Err is why the server could not be asked, or nil.
	Err error
}

func (e *ForceError) Error() string {
	for u, a := range e.Answers {
		if a != Yes {
			return fmt.Sprintf("the update of %.200q is no fast-forward, as far as it can be told", u.Ref)
		}
	}
	return "the push is stopped"
}

func (e *ForceError) Unwrap() error { return e.Err }

// ErrPack says that what follows the commands of a push is no pack. Its end was not
// sent on.
var ErrPack = errPack

// Copy sends a pack from src to dst. It returns nil once all was sent; before that, the
// last bytes are held back. After an error the request to the server has to be broken
// off, not ended: a [ForceError], one that wraps [ErrPack] or the context's, or one of
// src's or dst's own.
//
// As soon as nothing is left to ask, which is with the first commits as a rule, the
// rest is passed on unread.
func (i *Inspector) Copy(ctx context.Context, dst io.Writer, src io.Reader) error {
	s := &scanner{source: source{r: src, w: dst}, graph: newGraph(i.Format, i.Limits), at: map[int64]object{}}
	count, err := s.header()
	if err != nil {
		return err
	}
	var answers map[RefUpdate]Answer
	settled := func() bool {
		answers = map[RefUpdate]Answer{}
		all := true
		for _, u := range i.Ask {
			answers[u], _ = s.graph.descends(parseID(u.New), parseID(u.Old))
			all = all && answers[u] == Yes
		}
		return all
	}
	if len(i.Ask) == 0 {
		return s.pass()
	}
	early, err := s.objects(ctx, count, settled)
	if err != nil {
		return err
	}
	if early {
		return s.pass()
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.hold = true
	trailer := make([]byte, i.Format.size())
	if _, err := io.ReadFull(s, trailer); err != nil {
		return unexpected(err)
	}
	if _, err := s.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: something follows its end", errPack)
	}
	if !settled() {
		if err := i.askServer(ctx, s.graph, answers); err != nil {
			return err
		}
	}
	_, err = dst.Write(trailer)
	return err
}

// askServer asks for what the pack did not answer. Nil: all answers are yes.
func (i *Inspector) askServer(ctx context.Context, g *graph, answers map[RefUpdate]Answer) error {
	stop := &ForceError{Answers: answers}
	all := true
	for _, u := range i.Ask {
		if answers[u] == Unknown && i.Server != nil {
			_, edges := g.descends(parseID(u.New), parseID(u.Old))
			if len(edges) > 0 && len(edges) <= maxEdges {
				newer := make([]string, len(edges))
				for n, e := range edges {
					newer[n] = e.hex(i.Format)
				}
				yes, err := i.Server.Descends(ctx, newer, u.Old)
				switch {
				case err != nil:
					stop.Err = err
				case yes:
					answers[u] = Yes
				default:
					answers[u] = No
				}
			}
		}
		all = all && answers[u] == Yes
	}
	if all {
		return nil
	}
	return stop
}

// scanner reads the objects of a pack.
type scanner struct {
	source
	graph    *graph
	at       map[int64]object // where commits begin
	inflater io.ReadCloser
	inflated int64
	made     int64 // bytes of commits from deltas, of which a few bytes can ask for a megabyte
}

// header reads "PACK", the version and the number of objects.
func (s *scanner) header() (uint32, error) {
	var h [12]byte
	if _, err := io.ReadFull(s, h[:]); err != nil {
		return 0, fmt.Errorf("%w: it ends too early: %w", errPack, unexpected(err))
	}
	if string(h[:4]) != "PACK" || binary.BigEndian.Uint32(h[4:]) != 2 {
		return 0, fmt.Errorf("%w: it is no pack of version 2", errPack)
	}
	return binary.BigEndian.Uint32(h[8:]), nil
}

// objects reads them all, or stops early when settled says that there is no more to
// learn: it is asked once, where the commits end and the trees begin.
func (s *scanner) objects(ctx context.Context, count uint32, settled func() bool) (early bool, err error) {
	asked := false
	for n := range count {
		if n%256 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		commit, err := s.object()
		if err != nil {
			return false, err
		}
		if !commit && !asked && len(s.graph.parents) > 0 {
			asked = true
			if settled() {
				return true, nil
			}
		}
	}
	return false, nil
}

// object reads one, and says whether it was a commit that was taken in.
func (s *scanner) object() (bool, error) {
	start := s.offset()
	kind, size, err := objectHeader(s)
	if err != nil {
		return false, err
	}
	var base object
	var isDelta bool
	switch kind {
	case packCommit, packTree, packBlob, packTag:
	case packOfsDelta:
		back, err := deltaOffset(s)
		if err != nil {
			return false, err
		}
		base, isDelta = s.at[start-back]
	case packRefDelta:
		if _, err := io.ReadFull(s, base[:s.graph.format.size()]); err != nil {
			return false, unexpected(err)
		}
		isDelta = true
	default:
		return false, fmt.Errorf("%w: it has an object of type %d", errPack, kind)
	}
	var body []byte
	from, known := s.graph.bodies[base]
	known = known && s.made < s.graph.limits.FromDeltas
	wanted := size <= maxCommit && (kind == packCommit || isDelta && known)
	if body, err = s.inflate(size, wanted); err != nil || !wanted {
		return false, err
	}
	if isDelta {
		var ok bool
		if body, ok = applyDelta(from, body); !ok {
			return false, nil // the server says so
		}
		s.made += int64(len(body))
	}
	id, ok := s.graph.add(body)
	if ok && len(s.at) < s.graph.limits.Commits {
		s.at[start] = id
	}
	return ok, nil
}

// inflate reads the bytes of an object; they are returned if they are wanted.
func (s *scanner) inflate(size int64, wanted bool) ([]byte, error) {
	if s.inflated += size; s.inflated > s.graph.limits.Inflated {
		return nil, fmt.Errorf("%w: it inflates to more than %d bytes", errPack, s.graph.limits.Inflated)
	}
	var err error
	if s.inflater == nil {
		s.inflater, err = zlib.NewReader(s)
	} else {
		err = s.inflater.(zlib.Resetter).Reset(s, nil)
	}
	if err != nil {
		return nil, s.broken(err)
	}
	var out bytes.Buffer
	var to io.Writer = io.Discard
	if wanted {
		to = &out
	}
	// One byte more than the size shows that it is wrong, before it costs anything.
	n, err := io.Copy(to, io.LimitReader(s.inflater, size+1))
	if err != nil {
		return nil, s.broken(err)
	}
	if n != size {
		return nil, fmt.Errorf("%w: an object does not have the size that it says", errPack)
	}
	return out.Bytes(), nil
}

// broken tells bytes that can't be inflated from a stream that ended or failed.
func (s *scanner) broken(err error) error {
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) || errors.Is(err, zlib.ErrDictionary) {
		return fmt.Errorf("%w: %w", errPack, err)
	}
	return unexpected(err)
}
