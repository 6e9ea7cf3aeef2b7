package ledger

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed statement about the first Size records: a note in the
// form of c2sp.org/tlog-checkpoint, signed as c2sp.org/signed-note says.
type Checkpoint struct {
	Origin string // the ledger's name, which is its key's
	Size   uint64
	Root   tlog.Hash
	Note   []byte // all of it

	extra []string
}

// maxNote is how long a note of ours may be: an origin, and 64 nodes at most.
const maxNote = 16 << 10

var (
	errWrongKey = errors.New("it is signed by another key")
	errNote     = errors.New("its signature or its form is not right")
)

func signNote(s note.Signer, t *tree, extra ...string) (Checkpoint, error) {
	c := Checkpoint{Origin: s.Name(), Size: t.n, Root: t.root(), extra: extra}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
	for _, x := range extra {
		b.WriteString(x + "\n")
	}
	var err error
	c.Note, err = note.Sign(&note.Note{Text: b.String()}, s)
	return c, err
}

// OpenCheckpoint checks the signature of a checkpoint and reads it. Signatures of
// others, and lines after the root hash, are allowed and not looked at.
func OpenCheckpoint(data []byte, key note.Verifier) (Checkpoint, error) {
	if len(data) > 64*maxNote {
		return Checkpoint{}, fmt.Errorf("%w: it is too long", errNote)
	}
	n, err := note.Open(data, note.VerifierList(key))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		signed := unverified.Note.UnverifiedSigs[0]
		return Checkpoint{}, fmt.Errorf("%w: %s+%08x, and not %s+%08x", errWrongKey, signed.Name, signed.Hash, key.Name(), key.KeyHash())
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", errNote, err)
	}
	c := Checkpoint{Note: bytes.Clone(data)}
	parts := strings.Split(strings.TrimSuffix(n.Text, "\n"), "\n")
	if len(parts) < 3 || parts[0] != key.Name() {
		return Checkpoint{}, fmt.Errorf("%w: it is not about this ledger", errNote)
	}
	c.Origin, c.extra = parts[0], parts[3:]
	c.Size, err = strconv.ParseUint(parts[1], 10, 63)
	if err != nil || strconv.FormatUint(c.Size, 10) != parts[1] {
		return Checkpoint{}, fmt.Errorf("%w: %q is no number of records", errNote, parts[1])
	}
	if c.Root, err = tlog.ParseHash(parts[2]); err != nil || c.Root.String() != parts[2] {
		return Checkpoint{}, fmt.Errorf("%w: %q is no root hash", errNote, parts[2])
	}
	return c, nil
}

// openOwn is OpenCheckpoint for what the log itself wrote. It has one signature in
// one form; anything else is a change, though it may not change what is said.
func openOwn(data []byte, key note.Verifier) (Checkpoint, error) {
	c, err := OpenCheckpoint(data, key)
	if err != nil {
		return c, err
	}
	text, sig, _ := bytes.Cut(data, []byte("\n\n"))
	b64, ok := strings.CutPrefix(string(sig), "— "+key.Name()+" ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(b64, "\n"))
	if !ok || err != nil || base64.StdEncoding.EncodeToString(raw)+"\n" != b64 {
		return c, fmt.Errorf("%w: it is not as it was written", errNote)
	}
	if bytes.Count(text, []byte("\n")) != 2+len(c.extra) {
		return c, fmt.Errorf("%w: it is not as it was written", errNote)
	}
	return c, nil
}

func openOwnCheckpoint(data []byte, key note.Verifier) (Checkpoint, error) {
	c, err := openOwn(data, key)
	if err == nil && len(c.extra) > 0 {
		err = fmt.Errorf("%w: it is no checkpoint but the start of a segment", errNote)
	}
	return c, err
}

// state is where a chain stands: what comes next must follow from it.
type state struct {
	tree
	prev tlog.Hash // of the last record
}

const (
	prevLine = "prev "
	nodeLine = "node "
)

// signStart writes the note that a segment begins with: a checkpoint whose further
// lines are what is needed to go on from there without the segments before.
func signStart(s note.Signer, st *state) ([]byte, error) {
	extra := []string{prevLine + st.prev.String()}
	for _, h := range st.edge() {
		extra = append(extra, nodeLine+h.String())
	}
	c, err := signNote(s, &st.tree, extra...)
	return c.Note, err
}

// openStart reads what signStart wrote.
func openStart(data []byte, key note.Verifier) (*state, error) {
	c, err := openOwn(data, key)
	if err != nil {
		return nil, err
	}
	var prev tlog.Hash
	var edge []tlog.Hash
	for i, x := range c.extra {
		prefix := nodeLine
		if i == 0 {
			prefix = prevLine
		}
		b64, ok := strings.CutPrefix(x, prefix)
		h, err := tlog.ParseHash(b64)
		if !ok || err != nil {
			return nil, fmt.Errorf("%w: %q is no line of a segment's start", errNote, x)
		}
		if i == 0 {
			prev = h
		} else {
			edge = append(edge, h)
		}
	}
	if len(c.extra) == 0 {
		return nil, fmt.Errorf("%w: it is a checkpoint and no start of a segment", errNote)
	}
	t, err := treeOf(c.Size, edge)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNote, err)
	}
	if t.root() != c.Root {
		return nil, fmt.Errorf("%w: its nodes do not make its root", errNote)
	}
	return &state{tree: *t, prev: prev}, nil
}

// OpenCheckpoints reads a file that checkpoints were appended to. What is not a
// whole checkpoint is counted: a crash leaves a part of one. The error is the last
// one found, where there is no checkpoint at all.
func OpenCheckpoints(data []byte, key note.Verifier) (all []Checkpoint, torn int, err error) {
	begin := []byte(key.Name() + "\n")
	for len(data) > 0 {
		// A note ends where the next one begins: at a line that is the origin.
		end := len(data)
		if i := bytes.Index(data[1:], append([]byte{'\n'}, begin...)); i >= 0 {
			end = i + 2
		}
		c, oerr := OpenCheckpoint(data[:end], key)
		if oerr == nil {
			all = append(all, c)
		} else {
			torn++
			err = oerr
		}
		data = data[end:]
	}
	if len(all) > 0 {
		return all, torn, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: it is empty", errNote)
	}
	return nil, torn, err
}
