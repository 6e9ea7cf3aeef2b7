package gitwire

import (
	"fmt"
	"strings"
	"unicode"
)

// maxWords is how many refs are explained on the user's terminal.
const maxWords = 10

// Refusal is the answer to a push that is refused: the Content-Type, and the body of a
// response with status 200. Git shows a line per ref as its own, and the reasons with
// the settings that would allow them as lines of "remote:".
//
// The client has to be allowed to send the whole pack first: git does not read an
// answer while it sends. Read it to its end and throw it away.
func Refusal(p *Push, d Decision) (contentType string, body []byte) {
	var report []byte
	var words strings.Builder
	report = appendPacket(report, "unpack ok\n")
	refused := 0
	for _, v := range d.Refs {
		reason := v.Reason
		if v.Allowed {
			reason = "not done, as another ref of this push is refused"
		} else if refused++; refused <= maxWords {
			fmt.Fprintf(&words, "tightship: refused: %s: %s\n", plain(v.Update.Ref), plain(reason))
			words.WriteString(hints(d.Name, v.Hints))
		}
		if ref := v.Update.Ref; ref == plain(ref) && len(ref) <= maxRef {
			report = appendPacket(report, "ng "+ref+" "+cut(plain(reason), 1024)+"\n")
		}
	}
	if refused > maxWords {
		fmt.Fprintf(&words, "tightship: and %d more\n", refused-maxWords)
	}
	return answerType, answer(p, words.String(), appendFlush(report))
}

// Unreadable is the answer to a push that [ReadCommands] or an [Inspector] gave up on,
// as [Refusal] is.
func Unreadable(p *Push, err error) (contentType string, body []byte) {
	why := cut(plain(err.Error()), 1024)
	report := appendPacket(nil, "unpack refused by tightship: "+why+"\n")
	for _, u := range p.Updates {
		if u.Ref == plain(u.Ref) && len(u.Ref) <= maxRef {
			report = appendPacket(report, "ng "+u.Ref+" refused\n")
		}
	}
	return answerType, answer(p, "tightship: refused: "+why+"\n", appendFlush(report))
}

const answerType = "application/x-git-receive-pack-result"

// answer frames a report as the client asked for it.
func answer(p *Push, words string, report []byte) []byte {
	if !p.Capabilities.Report {
		report = nil
	}
	if !p.Capabilities.Sideband {
		return report
	}
	var out []byte
	band := func(number byte, s string) {
		for len(s) > 0 {
			n := min(len(s), maxPacket-5)
			out = appendPacket(out, string(number)+s[:n])
			s = s[n:]
		}
	}
	band(2, words)
	band(1, string(report))
	return appendFlush(out)
}

// RefuseCall is the answer to a request for a repository that [Access.Call] refused, as
// [Refusal] is; protocol is what [Protocol] says. Git prints it as "fatal: remote
// error:". (Of a 403 it would print the number only.) It is no answer to the second
// request of a push, which git does not make after a refused first.
func RefuseCall(c Call, protocol int, name string, v Verdict) (contentType string, body []byte) {
	words := "ERR tightship: refused: " + cut(plain(v.Reason), 4096) + "\n" + cut(hints(name, v.Hints), 32<<10)
	contentType = "application/x-" + string(c.Service) + "-result"
	if c.Advertise {
		contentType = "application/x-" + string(c.Service) + "-advertisement"
		if protocol < 2 || c.Service == ReceivePack {
			body = appendFlush(appendPacket(nil, "# service="+string(c.Service)+"\n"))
		}
	}
	return contentType, appendPacket(body, strings.TrimSuffix(words, "\n"))
}

// hints are lines that name what would allow it.
func hints(name string, lines []string) string {
	where := "git:"
	if name != "" {
		where = "git: of the credential " + plain(name)
	}
	var b strings.Builder
	for _, h := range lines {
		fmt.Fprintf(&b, "tightship: hint: in tightship.yaml, below %s  %s\n", where, plain(h))
	}
	return b.String()
}

// plain makes text safe for a terminal: every character that doesn't print becomes a
// question mark.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return '?'
	}, s)
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
