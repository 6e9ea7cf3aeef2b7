package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// item is a line on its way through the chain.
type item struct {
	file string
	line int
	ok   bool // it is a record
	head
	hash tlog.Hash
	own  *Record // an event

	from, size int // where its block has it; size counts the line feed
}

func (it *item) at(kind string, seq uint64, format string, args ...any) Finding {
	return Finding{Kind: kind, File: it.file, Line: it.line, Seq: seq, Message: fmt.Sprintf(format, args...)}
}

// chain follows the records. It looks one line ahead: where two neighbours do not
// fit, the one after them tells which of the two is not as it was.
type chain struct {
	res   *Result
	st    state
	sound bool // the state is known to be right: nothing was found since the last start

	last     item      // the record that was accepted last
	hasLast  bool      //
	known    bool      // st.prev is known
	twin     tlog.Hash // of another record with the last one's number
	hasTwin  bool
	lost     uint64 // lines that are no records, since the last record
	blamed   uint64 // 1 + the number of the record that was last found to be changed
	moved    map[uint64]displaced
	gaps     []gap
	accepted func(*item) // sees each record that takes its place
}

// displaced is a record that does not stand in its place, and its finding.
type displaced struct {
	finding int
	hash    tlog.Hash
}

// gap is numbers that are missing, from..to, and its finding.
type gap struct {
	from, to uint64
	finding  int
}

// restart goes on from a state that is known to be right.
func (c *chain) restart(st *state) {
	c.st, c.sound, c.known = *st, true, true
	c.lost, c.hasTwin, c.hasLast = 0, false, false
}

func (c *chain) found(f Finding) int {
	c.sound = false
	c.res.found(f)
	return len(c.res.Findings) - 1
}

// step takes a line; next is the one after it, if there is one.
func (c *chain) step(it *item, next *item) {
	if !it.ok {
		c.found(it.at(Malformed, c.st.n, "this is no record"))
		c.lost++
		c.known = false
		return
	}
	if it.seq != c.st.n && !c.misplaced(it, next) {
		return
	}
	c.lost = 0
	c.accept(it, next)
}

// misplaced deals with a record whose number is not the next one. It reports
// whether the chain goes on with it.
func (c *chain) misplaced(it *item, next *item) bool {
	want := c.st.n
	switch {
	case next != nil && next.ok && next.seq == want && it.seq > want && c.known && next.prev == hexOf(c.st.prev):
		// Without this one all fits.
		f := c.found(it.at(Inserted, it.seq, "a record with number %d stands where record %d follows", it.seq, want))
		if len(c.moved) < maxFindings {
			c.moved[it.seq] = displaced{f, it.hash}
		}
		return false
	case it.seq < want:
		c.again(it)
		return false
	}
	// Records that stood too early may fill the gap.
	for ; want < it.seq; want++ {
		d, ok := c.moved[want]
		if !ok {
			break
		}
		delete(c.moved, want)
		c.res.Findings[d.finding].Kind = Reordered
		c.res.Findings[d.finding].Message = fmt.Sprintf("record %d stands before a record that came before it", want)
		c.st.n, c.st.prev, c.known = want+1, d.hash, true
	}
	if want+c.lost < it.seq {
		from := want + c.lost
		f := c.found(it.at(Removed, from, "%s missing before record %d", recordsAre(from, it.seq-1), it.seq))
		if len(c.gaps) < maxFindings {
			c.gaps = append(c.gaps, gap{from, it.seq - 1, f})
		}
	}
	if want < it.seq {
		c.known = false
		c.sound = false
	}
	return true
}

// again deals with a number that has been there, or should have been.
func (c *chain) again(it *item) {
	for i, g := range c.gaps {
		if it.seq < g.from || it.seq > g.to {
			continue
		}
		c.found(it.at(Reordered, it.seq, "record %d stands after a record that came after it", it.seq))
		if g.from == g.to && g.finding < len(c.res.Findings) {
			// It was not removed after all.
			c.res.Findings[g.finding].Kind = Reordered
			c.gaps = append(c.gaps[:i], c.gaps[i+1:]...)
		}
		return
	}
	if c.hasLast && it.seq == c.last.seq && it.hash != c.last.hash {
		c.found(it.at(Inserted, it.seq, "two records have number %d, on this line and on line %d of %s", it.seq, c.last.line, c.last.file))
		c.twin, c.hasTwin = it.hash, true
		return
	}
	c.found(it.at(Duplicated, it.seq, "a record with number %d has been there already", it.seq))
}

func (c *chain) accept(it *item, next *item) {
	fits := !c.known || it.prev == hexOf(c.st.prev) || c.hasTwin && it.prev == hexOf(c.twin)
	if !fits && c.blamed != it.seq { // where the one before was changed, this cannot fit
		follows := next != nil && next.ok && next.seq == it.seq+1
		switch {
		case follows && next.prev != hexOf(it.hash), !c.hasLast:
			c.found(it.at(Changed, it.seq, "record %d does not hold the hash of the record before it, nor does the next one hold its own: it was changed, and the one before may have been", it.seq))
			c.blamed = it.seq + 1
		case follows:
			c.found(c.last.at(Changed, c.last.seq, "record %d is not the one that record %d was written after: it was changed", c.last.seq, it.seq))
		default:
			// Nothing that follows tells which of the two it is.
			c.found(c.last.at(Changed, c.last.seq, "record %d is not the one that record %d was written after: it was changed, or the other was", c.last.seq, it.seq))
			c.found(it.at(Changed, it.seq, "record %d was not written after this record %d: it was changed, or the other was", it.seq, c.last.seq))
		}
	}
	c.hasTwin = false
	c.st.n = it.seq
	c.st.push(it.hash, nil)
	c.st.prev, c.known = it.hash, true
	c.last, c.hasLast = *it, true
	if c.accepted != nil {
		c.accepted(it)
	}
}

// hexOf is hex.Encode in a third of the time, which counts once a record.
func hexOf(h tlog.Hash) (out [64]byte) {
	for i, b := range h {
		*(*[2]byte)(out[2*i:]) = hexPairs[b]
	}
	return out
}

var hexPairs = func() (all [256][2]byte) {
	for i := range all {
		all[i] = [2]byte{hexDigits[i>>4], hexDigits[i&15]}
	}
	return all
}()

func recordsAre(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("record %d is", from)
	}
	return fmt.Sprintf("records %d to %d are", from, to)
}
