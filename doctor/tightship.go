package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/report"
)

// tightship tells about the program itself.
func (x *exam) tightship() {
	x.find(tightshipGroup, "version", OK, "version", x.Self.Version)
	for _, arch := range slices.Sorted(maps.Keys(x.Self.Guests)) {
		id := fmt.Sprintf("guest[%s]", word(arch))
		if err := x.Self.Guests[arch]; err != nil {
			step := say("install tightship from a package that has tightship-guest, or in its source run:")
			x.find(tightshipGroup, id, Missing, "guest", err.Error(), append([]Step{step}, run("make build GOARCH="+quote(arch))...)...)
		} else {
			x.find(tightshipGroup, id, OK, "guest", "found for linux/"+word(arch))
		}
	}
	if err := x.Self.RunDirErr; err != nil {
		x.find(tightshipGroup, "lock-directory", Missing, "lock directory", fmt.Sprintf("%s cannot be made or written: %v", word(x.Self.RunDir), err),
			say("make that directory yours and writable, or point XDG_CACHE_HOME at one that is"))
	} else {
		x.find(tightshipGroup, "lock-directory", OK, "lock directory", word(x.Self.RunDir))
	}
	x.leftovers()
}

func (x *exam) leftovers() {
	for _, e := range x.Engines {
		id := fmt.Sprintf("leftovers[%s]", word(bare(e.Host)))
		where := "at " + place(e)
		switch {
		case e.Err != nil:
		case e.LeftErr != nil:
			x.find(tightshipGroup, id, Warning, "leftovers", "not known "+where+": "+report.Sanitize(e.LeftErr.Error(), maxText), say("see whether the engine is well: `docker info`"))
		case len(e.Left) > 0:
			var names []string
			for _, r := range e.Left {
				names = append(names, word(r.Kind+" "+r.Name))
			}
			const most = 3
			if n := len(names); n > most {
				names = append(names[:most], fmt.Sprintf("%d more", n-most))
			}
			x.find(tightshipGroup, id, Warning, "leftovers", "of runs that were killed, "+where+": "+strings.Join(names, ", "), run(at(e, "tightship clean"))...)
		default:
			x.find(tightshipGroup, id, OK, "leftovers", "none "+where)
		}
	}
}

// at is a command of ours that is to reach an engine.
func at(e Engine, command string) string {
	switch {
	case e.Used:
		return command
	case e.Host == defaultHost: // DOCKER_HOST names another
		return "DOCKER_HOST= " + command
	}
	host := "DOCKER_HOST=" + quote(bare(e.Host))
	const most = 70 // columns, so that it can be read on a terminal
	if len(host)+1+len(command) > most {
		return host + " \\\n  " + command
	}
	return host + " " + command
}
