package gitwire

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
)

// Answer says whether an update is a fast-forward.
type Answer uint8

// The answers. Unknown is no weaker a no: it only has other words.
const (
	Unknown Answer = iota
	Yes
	No
)

func (a Answer) String() string {
	return [...]string{"unknown", "yes", "no"}[a]
}

// object is an id; that of SHA-1 fills 20 bytes.
type object [32]byte

func parseID(s string) (o object) {
	// A malformed id is no commit's, and stays unknown.
	_, _ = hex.Decode(o[:], []byte(s[:min(len(s), 64)]))
	return o
}

func (o object) hex(f Format) string { return hex.EncodeToString(o[:f.size()]) }

// graph is what is known of commits: ids that were computed, never believed.
type graph struct {
	format  Format
	limits  Limits
	parents map[object][]object
	bodies  map[object][]byte // for commits that are told as a change to another
	kept    int               // bytes of bodies
	links   int               // parents of all commits
	steps   int
}

func newGraph(f Format, l Limits) *graph {
	return &graph{format: f, limits: l, parents: map[object][]object{}, bodies: map[object][]byte{}}
}

// hash is the id of a commit with this body.
func (g *graph) hash(body []byte) (o object) {
	head := appendHeader(body)
	if g.format == SHA256 {
		h := sha256.New()
		h.Write(head)
		h.Write(body)
		h.Sum(o[:0])
		return o
	}
	h := sha1.New()
	h.Write(head)
	h.Write(body)
	h.Sum(o[:0])
	return o
}

// add takes a commit in, as far as there is room. What is not taken in is a commit
// that nothing is known about.
func (g *graph) add(body []byte) (object, bool) {
	id := g.hash(body)
	if _, ok := g.parents[id]; ok {
		return id, true
	}
	parents, ok := parseParents(body, g.format)
	if !ok || len(g.parents) >= g.limits.Commits || g.links+len(parents) > 2*g.limits.Commits {
		return id, false
	}
	g.links += len(parents)
	g.parents[id] = parents
	if g.kept+len(body) <= g.limits.CommitBytes {
		g.kept += len(body)
		g.bodies[id] = body
	}
	return id, true
}

// parseParents reads "tree ID", then any number of "parent ID", as git does: a line
// of that form later in the commit is none.
func parseParents(body []byte, f Format) ([]object, bool) {
	var parents []object
	for first := true; ; first = false {
		word := []byte("parent ")
		if first {
			word = []byte("tree ")
		}
		rest, ok := bytes.CutPrefix(body, word)
		if !ok {
			return parents, !first
		}
		n := 2 * f.size()
		if len(rest) <= n || rest[n] != '\n' || !f.validID(string(rest[:n])) {
			return nil, false
		}
		if !first {
			parents = append(parents, parseID(string(rest[:n])))
		}
		body = rest[n+1:]
	}
}

// maxEdges is how many commits of the server one question is asked from.
const maxEdges = 100

// descends says whether newer has older among its ancestors, or is it. Where that is
// unknown, the edges are the commits that the walk could not go behind.
func (g *graph) descends(newer, older object) (Answer, []object) {
	var edges []object
	seen := map[object]bool{newer: true}
	next := []object{newer}
	for len(next) > 0 {
		id := next[len(next)-1]
		next = next[:len(next)-1]
		if id == older {
			return Yes, nil
		}
		if g.steps++; g.steps > g.limits.Steps {
			return Unknown, nil
		}
		parents, ok := g.parents[id]
		if !ok {
			edges = append(edges, id)
			continue
		}
		for _, p := range parents {
			if !seen[p] {
				seen[p] = true
				next = append(next, p)
			}
		}
	}
	if len(edges) > 0 {
		return Unknown, edges
	}
	return No, nil
}
