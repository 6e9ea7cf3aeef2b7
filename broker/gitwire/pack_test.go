package gitwire

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// packWriter makes packs for the tests, well formed and not.
type packWriter struct {
	bytes.Buffer
	count uint32
	at    map[string]int // where an object begins
}

func newPack() *packWriter {
	w := &packWriter{at: map[string]int{}}
	w.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x00")
	return w
}

// A writer is a megabyte: the tests, which run one after the other, share it.
var deflater = zlib.NewWriter(nil)

func deflate(body string) []byte {
	var out bytes.Buffer
	deflater.Reset(&out)
	_, _ = deflater.Write([]byte(body))
	_ = deflater.Close()
	return out.Bytes()
}

func (w *packWriter) header(kind byte, size int) {
	b := kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		w.WriteByte(b | 0x80)
		b = byte(size & 0x7f)
	}
	w.WriteByte(b)
	w.count++
}

func (w *packWriter) object(kind byte, body string) {
	w.header(kind, len(body))
	w.Write(deflate(body))
}

// commit adds a commit and returns its id.
func (w *packWriter) commit(body string) string {
	id := commitID(body)
	w.at[id] = w.Len()
	w.object(packCommit, body)
	return id
}

// ofsDelta adds a commit as a change to one that is there.
func (w *packWriter) ofsDelta(base, baseID, body string) string {
	delta := makeDelta(base, body)
	start := w.Len()
	w.header(packOfsDelta, len(delta))
	back := start - w.at[baseID]
	var digits []byte
	for digits = []byte{byte(back & 0x7f)}; back > 0x7f; {
		back = back>>7 - 1
		digits = append([]byte{byte(back&0x7f) | 0x80}, digits...)
	}
	w.Write(digits)
	w.Write(deflate(delta))
	w.at[commitID(body)] = start
	return commitID(body)
}

func (w *packWriter) refDelta(base, baseID, body string) string {
	delta := makeDelta(base, body)
	w.at[commitID(body)] = w.Len()
	w.header(packRefDelta, len(delta))
	id, _ := hex.DecodeString(baseID)
	w.Write(id)
	w.Write(deflate(delta))
	return commitID(body)
}

// end writes the count and the checksum.
func (w *packWriter) end() []byte {
	out := bytes.Clone(w.Bytes())
	binary.BigEndian.PutUint32(out[8:], w.count)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

func commitID(body string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", len(body), body))
	return hex.EncodeToString(sum[:])
}

// commitBody is a commit as git writes it.
func commitBody(message string, parents ...string) string {
	var b strings.Builder
	b.WriteString("tree " + strings.Repeat("4", 40) + "\n")
	for _, p := range parents {
		b.WriteString("parent " + p + "\n")
	}
	b.WriteString("author A <a@example.com> 1700000000 +0000\ncommitter A <a@example.com> 1700000000 +0000\n\n" + message + "\n")
	return b.String()
}

func sizeDigits(n int) string {
	var b []byte
	for ; n > 0x7f; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return string(append(b, byte(n)))
}

// makeDelta copies the end that both have in common, and inserts the rest.
func makeDelta(base, body string) string {
	same := 0
	for same < len(base) && same < len(body) && same < 0xffff && base[len(base)-1-same] == body[len(body)-1-same] {
		same++
	}
	d := sizeDigits(len(base)) + sizeDigits(len(body))
	for fresh := body[:len(body)-same]; len(fresh) > 0; {
		n := min(len(fresh), 127)
		d += string([]byte{byte(n)}) + fresh[:n]
		fresh = fresh[n:]
	}
	if same > 0 {
		at := len(base) - same
		d += string([]byte{0x80 | 0x03 | 0x30, byte(at), byte(at >> 8), byte(same), byte(same >> 8)})
	}
	return d
}

func gzipped(body string) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	return out.Bytes()
}
