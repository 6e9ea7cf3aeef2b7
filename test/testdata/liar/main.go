// Command liar is a guest that does not do its work. The mode is set by the
// linker. None of them may lead to a report that says "proven".
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/probe"
)

var mode string

func main() {
	if len(os.Args) > 1 { // a helper: our setuid program
		probe.Helper(os.Args[1:])
		return
	}
	switch mode {
	case "garbage":
		os.Stdout.Write([]byte("\x00\xff\x1b[2Jnot a line of anything\n{\n"))
		hang()
	case "exits":
		os.Exit(0)
	case "hangs":
		hang()
	case "flood": // 100 MB without a line's end
		for range 100 {
			os.Stdout.WriteString(strings.Repeat("x", 1<<20))
		}
		hang()
	case "stays": // honest, but never leaves
		probe.Serve(os.Stdin, os.Stdout)
		hang()
	case "miscounts": // honest, but leaves with another code
		os.Exit(probe.Serve(os.Stdin, os.Stdout) + 1)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, probe.MaxLine)
	for l := (liar{}); lines.Scan(); {
		var plan probe.Plan
		if json.Unmarshal(lines.Bytes(), &plan) != nil {
			os.Exit(probe.ExitProtocol)
		}
		l.answer(plan)
		if plan.Exit != nil {
			os.Exit(*plan.Exit)
		}
	}
}

type liar struct{ seq int }

func (l *liar) answer(plan probe.Plan) {
	if l.seq == 0 {
		l.say(plan, probe.Line{})
	}
	for _, name := range plan.Probes {
		o := &probe.Observation{Probe: name}
		switch mode {
		case "omits":
			continue
		case "hollow":
		case "boasts": // says that everything was tried and refused
			o.Attempts = []probe.Attempt{
				{Act: "create", On: "/etc", Errno: "EROFS", Mount: "/", Bits: "allow"}, {Act: "create", On: "/tmp", OK: true, Control: true},
				{Act: "execve", On: "/tmp", Errno: "EACCES"}, {Act: "execve", OK: true, Control: true},
			}
			o.Facts = map[string]string{"uids": "1000 1000 1000", "fsuid": "1000", "attempts": "99"}
		case "contradicts":
			o.Attempts = []probe.Attempt{{Act: "create", On: "/etc", OK: true, Errno: "EROFS"}}
		case "chatters": // 100 MB of lines that are each in order
			o.Error = strings.Repeat("x", probe.MaxText)
			for range 100 << 20 / probe.MaxText {
				l.say(plan, probe.Line{Observation: o})
			}
		case "repeats":
			l.say(plan, probe.Line{Observation: o})
			l.say(plan, probe.Line{Observation: o})
		}
		l.say(plan, probe.Line{Observation: o})
	}
	l.say(plan, probe.Line{Done: true})
}

func (l *liar) say(plan probe.Plan, line probe.Line) {
	line.Nonce, line.Seq = plan.Nonce, l.seq
	if mode == "replays" { // a recording of another run
		line.Nonce = "00112233445566778899aabb"
	}
	l.seq++
	b, _ := json.Marshal(line)
	fmt.Println(string(b))
}

func hang() {
	for {
		time.Sleep(time.Hour)
	}
}
