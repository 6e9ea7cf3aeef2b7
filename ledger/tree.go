package ledger

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of the Merkle tree of RFC 6962: the root of each largest
// complete subtree. That is all it takes to add leaves and to know the root.
type tree struct {
	n     uint64
	nodes [64]tlog.Hash // nodes[l] counts where bit l of n is set; it covers 2^l leaves
}

// push adds a leaf. Each subtree that it completes, itself first, is shown to
// visit, which may be nil, by its coordinates in tlog.
func (t *tree) push(h tlog.Hash, visit func(level int, n uint64, h tlog.Hash)) {
	level := 0
	for ; ; level++ {
		if visit != nil {
			visit(level, t.n>>level, h)
		}
		if t.n>>level&1 == 0 {
			break
		}
		h = tlog.NodeHash(t.nodes[level], h)
	}
	t.nodes[level] = h
	t.n++
}

// emptyRoot is the root of no leaves (RFC 6962, section 2.1).
var emptyRoot, _ = tlog.TreeHash(0, nil)

func (t *tree) root() tlog.Hash {
	if t.n == 0 {
		return emptyRoot
	}
	level := bits.TrailingZeros64(t.n)
	h := t.nodes[level]
	for level++; level < 64; level++ {
		if t.n>>level&1 == 1 {
			h = tlog.NodeHash(t.nodes[level], h)
		}
	}
	return h
}

// edge is the nodes that count, the largest subtree first.
func (t *tree) edge() []tlog.Hash {
	var all []tlog.Hash
	for level := 63; level >= 0; level-- {
		if t.n>>level&1 == 1 {
			all = append(all, t.nodes[level])
		}
	}
	return all
}

// treeOf is the tree of n leaves with this edge.
func treeOf(n uint64, edge []tlog.Hash) (*tree, error) {
	if bits.OnesCount64(n) != len(edge) {
		return nil, fmt.Errorf("the edge of a tree of %d records has %d nodes, not %d", n, bits.OnesCount64(n), len(edge))
	}
	t := &tree{n: n}
	for level := 63; level >= 0; level-- {
		if n>>level&1 == 1 {
			t.nodes[level], edge = edge[0], edge[1:]
		}
	}
	return t, nil
}
