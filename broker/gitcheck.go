package broker

import (
	"path"
	"strings"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/broker/gitwire"
	"github.com/tightship-dev/tightship/policy"
)

// checkGit goes on where decide ends for a route of git's: with the repository, as
// gitGate does, and with one ref of a push, as gitPush does with all of them.
func checkGit(d Decision, c *policy.Credential, h *front.Head, ref string) (Decision, error) {
	// What git itself would say: the caller of Check has no header.
	kind := "application/x-" + path.Base(d.Path) + "-request"
	call, v, err := classified(c, h, d.Path, kind)
	if err != nil {
		d.Allowed, d.Rule, d.Reason = false, RuleGit, err.Error()
		return d, refOf(call, ref)
	}
	push := call.Service == gitwire.ReceivePack
	if v.Allowed {
		d.Rule = "credentials[" + c.Name + "].git." + v.Rule
		switch {
		case push && ref == "":
			d.Note = pushable(accessOf(c))
			return d, nil
		case push:
			v, d.Note = decideRef(accessOf(c), ref)
			d.Rule = "credentials[" + c.Name + "].git." + v.Rule
		}
	}
	if !v.Allowed {
		d.Allowed, d.Rule, d.Reason = false, RuleGit+": "+v.Rule, v.Reason
		if v.Update.Ref != "" {
			d.Reason = v.Update.Ref + ": " + v.Reason
		}
		if d.AllowLine = strings.Join(v.Hints, "\n"); d.AllowLine != "" {
			d.Where = "credentials[" + c.Name + "].git"
		}
	}
	return d, refOf(call, ref)
}

// refOf says whether a ref is of use to a request.
func refOf(c gitwire.Call, ref string) error {
	if ref != "" && c.Service != gitwire.ReceivePack {
		return ErrRef
	}
	return nil
}

// decideRef is what may be done to a ref: whether a push may create it, which is the
// least, and in words whether another may change or delete it.
func decideRef(a gitwire.Access, ref string) (v gitwire.Verdict, note string) {
	none, one, other := strings.Repeat("0", 40), strings.Repeat("1", 40), strings.Repeat("2", 40)
	decide := func(from, to string) gitwire.Verdict {
		return a.Decide(&gitwire.Push{Updates: []gitwire.RefUpdate{{Ref: ref, Old: from, New: to}}}).Refs[0]
	}
	if v = decide(none, one); !v.Allowed {
		return v, ""
	}
	change, gone := decide(one, other), decide(one, none)
	switch {
	case change.Ask:
		note = "once it is there, a push may change it by a fast-forward"
	case change.Allowed:
		note = "once it is there, a push may change it in any way"
	default:
		note = "once it is there: " + change.Reason
	}
	if gone.Allowed {
		return v, note + "; a push may delete it"
	}
	return v, note + "; " + gone.Reason
}

// pushable is what pushes may do, in words.
func pushable(a gitwire.Access) string {
	note := "its refs decide: what matches " + strings.Join(a.Push, " or ") + " may be created and changed"
	if !a.Force {
		note += " by fast-forwards"
	}
	if a.Delete {
		note += ", or deleted"
	}
	var not []string
	if !a.Tags {
		not = append(not, "no tags")
	}
	if !a.Delete {
		not = append(not, "nothing deleted")
	}
	if len(not) > 0 {
		note += "; " + strings.Join(not, ", ")
	}
	return note + "; and nothing else"
}
