package ledger

import (
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// timeFormat has a fixed width, so that there is one way to write a time.
const timeFormat = "2006-01-02T15:04:05.000000000Z"

const hexDigits = "0123456789abcdef"

// appendLine writes a record in its one form: these fields in this order, empty
// ones left out, no white space, printable ASCII. What verify needs comes first.
func appendLine(b []byte, r *Record) []byte { return appendRest(appendHead(b, r), r) }

// appendHead writes what depends on the record's place.
func appendHead(b []byte, r *Record) []byte {
	b = append(b, `{"v":1,"seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	b = append(b, `,"prev":"`...)
	prev := hexOf(r.Prev)
	b = append(b, prev[:]...)
	b = append(b, `","kind":"`...)
	b = append(b, r.Kind...)
	b = append(b, '"')
	b = appendNumber(b, "of", r.Of)
	b = appendNumber(b, "checkpoint", r.Checkpoint)
	b = append(b, `,"time":"`...)
	b = appendTime(b, r.Time)
	b = append(b, `","mono_ns":`...)
	b = strconv.AppendInt(b, int64(r.Mono), 10)
	b = append(b, `,"run":"`...)
	b = append(b, r.Run...)
	return append(b, '"')
}

// appendTime is AppendFormat with timeFormat, of a UTC time, in a fifth of the time.
func appendTime(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = appendDigits(b, year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	b = appendDigits(append(b, '.'), t.Nanosecond(), 9)
	return append(b, 'Z')
}

func appendDigits(b []byte, n, width int) []byte {
	b = append(b, "000000000"[:width]...)
	for i := len(b) - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// appendRest writes what does not: whoever appends does so before it has a place.
func appendRest(b []byte, r *Record) []byte {
	b = appendText(b, "event", r.Event)
	b = appendText(b, "sandbox", r.Sandbox)
	b = appendText(b, "container", r.Container)
	b = appendText(b, "credential", r.Credential)
	b = appendText(b, "route", r.Route)
	b = appendText(b, "method", r.Method)
	b = appendText(b, "path", r.Path)
	b = appendText(b, "decision", r.Decision)
	b = appendText(b, "rule", r.Rule)
	b = appendText(b, "reason", r.Reason)
	b = appendNumber(b, "status", uint64(r.Status))
	b = appendNumber(b, "bytes_in", uint64(r.BytesIn))
	b = appendNumber(b, "bytes_out", uint64(r.BytesOut))
	b = appendNumber(b, "latency_us", uint64(r.Latency/time.Microsecond))
	for i, u := range r.Refs {
		if i == 0 {
			b = append(b, `,"refs":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"ref":`...), u.Ref)
		b = appendString(append(b, `,"old":`...), u.Old)
		b = appendString(append(b, `,"new":`...), u.New)
		b = append(b, '}')
	}
	if len(r.Refs) > 0 {
		b = append(b, ']')
	}
	b = appendNumber(b, "redactions", uint64(r.Redactions))
	b = appendNumber(b, "segment", r.Segment)
	b = appendNumber(b, "torn", uint64(r.Torn))
	b = appendText(b, "digest", r.Digest)
	b = appendText(b, "boot", r.Boot)
	b = appendText(b, "key", r.Key)
	return append(b, '}')
}

func appendNumber(b []byte, name string, n uint64) []byte {
	if n == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendUint(b, n, 10)
}

func appendText(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendString(b, s)
}

// appendString writes a JSON string in printable ASCII, so that a ledger can be
// looked at with any tool on any terminal.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c <= '~' {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r > 0xffff {
			hi, lo := utf16.EncodeRune(r)
			b = appendEscape(appendEscape(b, hi), lo)
		} else {
			b = appendEscape(b, r)
		}
		i += size
	}
	return append(b, '"')
}

func appendEscape(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
