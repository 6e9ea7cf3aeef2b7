package front

import (
	"strconv"
	"strings"
)

// finish says what the headers mean together.
func (f *fields) finish() *Refusal {
	for _, check := range []func() *Refusal{f.checkHost, f.checkConnection, f.checkBody, f.checkUpgrade} {
		if r := check(); r != nil {
			return r
		}
	}
	return nil
}

// checkHost looks at a name that nothing here is decided by. Upstreams get their own.
func (f *fields) checkHost() *Refusal {
	if !f.seen["Host"] {
		return Refuse("host-missing", "there is no header Host")
	}
	for i := range len(f.host) {
		if c := f.host[i]; chars[c]&inToken == 0 && !strings.ContainsRune(":[]", rune(c)) || c == '%' {
			return Refuse("host", "the header Host is %.40q, want NAME or NAME:PORT", f.host)
		}
	}
	if f.host == "" {
		return Refuse("host", "the header Host is empty")
	}
	f.head.Host = f.host
	return nil
}

// checkConnection allows the options that clients send. RFC 9110 section 7.6.1 lets
// a sender name any header as one that a proxy removes, and so take away what the
// other end relies on.
func (f *fields) checkConnection() *Refusal {
	upgrade := false
	for _, value := range f.connection {
		for option := range strings.SplitSeq(value, ",") {
			switch lower(strings.Trim(option, " \t")) {
			case "close":
				f.head.close = true
			case "upgrade":
				upgrade = true
			case "keep-alive", "te", "":
			default:
				return Refuse("connection", "the header Connection names %.40q, want close, keep-alive, te or upgrade", option)
			}
		}
	}
	if upgrade != f.seen["Upgrade"] {
		return Refuse("upgrade", "Connection: upgrade and the header Upgrade go together")
	}
	if f.seen["Te"] && !isWord(f.te, "trailers") {
		return Refuse("te", "the header TE is %.40q, want trailers", f.te)
	}
	if f.seen["Expect"] {
		if !isWord(f.expect, "100-continue") {
			return Refuse("expect", "the header Expect is %.40q, want 100-continue", f.expect)
		}
		f.head.waiting = true
	}
	return nil
}

func (f *fields) checkBody() *Refusal {
	switch {
	case f.seen["Content-Length"] && f.seen["Transfer-Encoding"]:
		return Refuse("length-and-chunks", "there is a Content-Length and a Transfer-Encoding")
	case f.seen["Transfer-Encoding"]:
		if !isWord(f.encoding, "chunked") {
			return Refuse("transfer-encoding", "the header Transfer-Encoding is %.40q, want chunked", f.encoding)
		}
		f.head.Length = -1
	case f.seen["Content-Length"]:
		const digits = 18 // of any int64
		n, err := strconv.ParseUint(f.length, 10, 63)
		if err != nil || len(f.length) > digits || f.length[0] < '0' || f.length[0] > '9' {
			return Refuse("content-length", "the header Content-Length is %.40q, want a number", f.length)
		}
		f.head.Length = int64(n)
	}
	return nil
}

func (f *fields) checkUpgrade() *Refusal {
	if !f.seen["Upgrade"] {
		return nil
	}
	if !isWord(f.upgrade, "websocket") {
		return Refuse("upgrade", "the header Upgrade is %.40q, and nothing but websocket is known", f.upgrade)
	}
	if f.head.Method != "GET" || f.head.Length != 0 {
		return Refuse("upgrade", "a WebSocket begins with a GET that has no body")
	}
	f.head.Upgrade = "websocket"
	return nil
}

// isWord compares without regard to the case of ASCII letters, and of no others:
// Unicode has a second K, which other parsers do not take for one.
func isWord(s, word string) bool { return lower(s) == word }

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
