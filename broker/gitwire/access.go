package gitwire

import (
	"fmt"
	"strings"
)

// Access is what a sandbox may do, as the git block of a credential says it. The zero
// value allows nothing.
type Access struct {
	// Name is the credential's, for the words of a refusal.
	Name string
	// Repositories are patterns as acme/widget, acme/* or acme/**, where * stays
	// inside one part of a path and ** stands for any number of parts.
	Repositories []string
	Fetch        bool
	// Push has patterns of full ref names, as refs/heads/agent/*. What no pattern
	// matches is refused, whatever else is allowed.
	Push []string
	// These three allow more to be done to the refs that Push matches.
	Force  bool // updates that are no fast-forward, and tags that move
	Tags   bool // refs below refs/tags
	Delete bool
}

// Verdict is the answer to one question.
type Verdict struct {
	Update  RefUpdate // the ref that it is about; empty for a whole request
	Allowed bool
	// Ask says that the update is allowed only if it is a fast-forward, which an
	// [Inspector] finds out.
	Ask    bool
	Rule   string   // the setting that decided (of several, the first), as push: refs/heads/agent/*
	Reason string   // why it is refused, all of it
	Hints  []string // the lines below git: that would allow it, all of them needed
}

func (v *Verdict) refuse(rule, reason, hint string) {
	if v.Reason == "" {
		v.Rule, v.Reason = rule, reason
	} else {
		v.Reason += "; " + reason
	}
	v.Allowed, v.Ask = false, false
	if hint != "" {
		v.Hints = append(v.Hints, hint)
	}
}

// Decision is the answer to a push: a verdict for each update, in their order.
type Decision struct {
	Name string // the credential's
	Refs []Verdict
}

// Allowed says whether the push may go on: nothing of it is refused. A push is let
// through as a whole or not at all.
func (d Decision) Allowed() bool {
	for _, v := range d.Refs {
		if !v.Allowed {
			return false
		}
	}
	return len(d.Refs) > 0
}

// Ask are the updates that have to be fast-forwards.
func (d Decision) Ask() []RefUpdate {
	var ask []RefUpdate
	for _, v := range d.Refs {
		if v.Ask {
			ask = append(ask, v.Update)
		}
	}
	return ask
}

// Settle is the decision once it is known which updates are fast-forwards.
func (d Decision) Settle(answers map[RefUpdate]Answer) Decision {
	d.Refs = append([]Verdict(nil), d.Refs...)
	for i := range d.Refs {
		v := &d.Refs[i]
		if !v.Ask {
			continue
		}
		switch answers[v.Update] {
		case Yes:
			v.Ask = false
		case No:
			v.refuse("force: false", "it is no fast-forward and would drop commits that are there: fetch and rebase or merge, then push again", "force: true")
		default:
			v.refuse("force: false", "nothing shows that this is a fast-forward: fetch and rebase or merge, then push again", "force: true")
		}
	}
	return d
}

// Call decides on a repository, before a byte of the body is read.
func (a Access) Call(c Call) Verdict {
	v := Verdict{Allowed: true}
	found := ""
	for _, pattern := range a.Repositories {
		if match(strings.TrimSuffix(pattern, ".git"), c.Repository) {
			found = pattern
			break
		}
	}
	if found == "" {
		v.refuse("repositories", fmt.Sprintf("the repository %s is not allowed", c.Repository), "repositories: "+list(a.Repositories, c.Repository))
	} else {
		v.Rule = "repositories: " + found
	}
	switch {
	case c.Service == UploadPack && !a.Fetch:
		v.refuse("fetch: false", "fetching is not allowed", "fetch: true")
	case c.Service == ReceivePack && len(a.Push) == 0:
		v.refuse("push", "pushing is not allowed", `push: ["refs/heads/agent/*"]`)
	case c.Service != UploadPack && c.Service != ReceivePack:
		v.refuse("git", "this service is not known", "")
	}
	return v
}

// Decide decides on each update of a push to a repository that [Access.Call] allowed.
func (a Access) Decide(p *Push) Decision {
	d := Decision{Name: a.Name}
	for _, u := range p.Updates {
		v := a.update(u)
		if len(p.Options) > 0 {
			v = Verdict{Update: u}
			v.refuse("push options", "push options (git push -o) are not allowed, as they can do more than update refs", "")
		}
		d.Refs = append(d.Refs, v)
	}
	return d
}

func (a Access) update(u RefUpdate) Verdict {
	v := Verdict{Update: u, Allowed: true}
	if err := checkRef(u.Ref); err != nil {
		v.refuse("ref names", fmt.Sprintf("the name is not allowed: %v", err), "")
		return v
	}
	for _, pattern := range a.Push {
		if match(pattern, u.Ref) {
			v.Rule = "push: " + pattern
			break
		}
	}
	if v.Rule == "" {
		v.refuse("push", "no pattern of push matches this ref", "push: "+list(a.Push, u.Ref))
	}
	tag := isTag(u.Ref)
	if tag && !a.Tags {
		v.refuse("tags: false", "tags are not allowed", "tags: true")
	}
	switch {
	case u.Creates():
	case u.Deletes():
		if !a.Delete {
			v.refuse("delete: false", "deleting is not allowed", "delete: true")
		}
	case a.Force:
	case tag:
		v.refuse("force: false", "a tag that is there must stay where it is", "force: true")
	default:
		v.Ask = v.Allowed
	}
	return v
}

// isTag is true in any case of letters: on a server whose file system doesn't tell
// them apart, refs/Tags/v1 is a tag.
func isTag(ref string) bool {
	const tags = "refs/tags/"
	return len(ref) > len(tags) && strings.EqualFold(ref[:len(tags)], tags)
}

// list is a YAML list in one line: what is there, and one more.
func list(have []string, more string) string {
	var b strings.Builder
	for _, s := range have {
		fmt.Fprintf(&b, "%q, ", s)
	}
	return fmt.Sprintf("[%s%q]", b.String(), more)
}
