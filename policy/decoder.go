package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder walks the nodes of one file, which carry positions, and gathers
// everything that is wrong instead of stopping at the first thing.
type decoder struct {
	file   string
	policy *Policy
	errs   Errors
}

// A reader decodes the value n, which stands at the key path at.
type reader func(n *yaml.Node, at string)

// keys is what a group may hold.
type keys map[string]reader

// maxErrors bounds the memory that a hostile file can ask for.
const maxErrors = 100

func (d *decoder) add(n *yaml.Node, at, msg, nearest string) {
	if knownKey(nearest) {
		nearest = ""
	}
	if len(d.errs) < maxErrors {
		d.errs = append(d.errs, &Error{File: d.file, Line: n.Line, Column: n.Column, Path: at, Msg: msg, Nearest: nearest})
	}
}

// addAt reports a value by its path; a value that came from Default has no
// place of its own and is reported for the file.
func (d *decoder) addAt(at, msg string) {
	o := d.policy.Origins[at]
	d.add(&yaml.Node{Line: o.Line, Column: o.Column}, at, msg, "")
}

// plain refuses the parts of YAML that let a file say something other than it
// shows: aliases (and the bombs made of them), anchors and tags. It does not
// repeat them: without quotes a password can be taken for one.
func (d *decoder) plain(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		d.add(n, "", "aliases (*) are not supported, write the value out", "")
		return // its target is elsewhere in the file and visited there
	case n.Anchor != "":
		d.add(n, "", "anchors (&) are not supported, write the value out where it is needed", "")
	case n.Style&yaml.TaggedStyle != 0:
		d.add(n, "", "tags (!) are not supported", "")
	}
	for _, c := range n.Content {
		d.plain(c)
	}
}

// wrongType reports that n is not what is wanted.
func (d *decoder) wrongType(n *yaml.Node, at, want string) {
	found := "a list"
	switch {
	case n.Kind == yaml.MappingNode:
		found = "keys and values"
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		found = "nothing"
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
		found = "the text " + quoted(n.Value)
	case n.Kind == yaml.ScalarNode:
		found = short(n.Value)
	}
	d.add(n, at, "want "+want+", found "+found, "")
}

// entries calls f for each key of a mapping, once per key.
func (d *decoder) entries(n *yaml.Node, at string, f func(key, value *yaml.Node, at string)) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, at, "keys and values")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			d.wrongType(k, at, "a key")
			continue
		}
		if knownKey(k.Value) && !strings.HasPrefix(k.Value, "/") { // a mount point may look like anything
			d.add(k, at, "a key of the file "+movedOut, "")
			continue
		}
		below := join(at, k.Value)
		if line, ok := seen[k.Value]; ok {
			d.add(k, below, "duplicate key, it is already on line "+strconv.Itoa(line), "")
			continue
		}
		seen[k.Value] = k.Line
		d.policy.Origins[below] = Origin{Line: k.Line, Column: k.Column}
		f(k, v, below)
	}
}

// group decodes a mapping whose keys are known.
func (d *decoder) group(n *yaml.Node, at string, known keys) {
	d.entries(n, at, func(k, v *yaml.Node, at string) {
		if read, ok := known[k.Value]; ok {
			read(v, at)
			return
		}
		if len(d.errs) >= maxErrors { // it would not be said anyway
			return
		}
		nearest := Nearest(k.Value, slices.Sorted(maps.Keys(known)))
		if nearest == "" {
			nearest = elsewhere(k.Value, "", around(at))
		}
		d.add(k, at, "unknown key", nearest)
	})
}

// around is where a key that is unknown at a path may belong.
func around(at string) []node {
	if strings.HasPrefix(at, "credentials[") {
		c := defaultCredential()
		c.Attach.Style = AttachHeader
		return slices.Concat(c.tree(), []node{{key: "allow[]", kids: Allow{}.tree()}, {key: "git", kids: GitAccess{}.tree()}})
	}
	return Default().tree()
}

// elsewhere finds the path of a key that stands in the wrong place, as pids
// outside of limits.
func elsewhere(key, at string, nodes []node) string {
	for _, n := range nodes {
		below := join(at, n.key)
		if n.key == key {
			return below
		}
		if !n.list {
			if found := elsewhere(key, below, n.kids); found != "" {
				return found
			}
		}
	}
	return ""
}

// items calls f for each item of a list. Only items that are groups get an
// origin: lists of single values are one value to whoever explains them.
func (d *decoder) items(n *yaml.Node, at string, f func(n *yaml.Node, at string)) {
	if n.Kind != yaml.SequenceNode {
		d.wrongType(n, at, "a list")
		return
	}
	for i, item := range n.Content {
		below := fmt.Sprintf("%s[%d]", at, i)
		if item.Kind == yaml.MappingNode {
			d.policy.Origins[below] = Origin{Line: item.Line, Column: item.Column}
		}
		f(item, below)
	}
}

// join makes a key path. A key that could not be told from the message around
// it is quoted.
func join(at, key string) string {
	if key == "" || len(key) > maxMountPoint || !printable(key) || strings.Contains(key, ": ") {
		key = quoted(key)
	}
	if at == "" {
		return key
	}
	return at + "." + key
}

// scalar reports whether n is a single value with one of the given tags.
func scalar(n *yaml.Node, tags ...string) bool {
	return n.Kind == yaml.ScalarNode && slices.Contains(tags, n.ShortTag())
}

// word reads one text that keeps the rule.
func (d *decoder) word(n *yaml.Node, at string, ok rule) (string, bool) {
	if !scalar(n, "!!str") {
		want := "text"
		if n.Kind == yaml.ScalarNode && n.Value != "" {
			want = "text (in quotes)"
		}
		d.wrongType(n, at, want)
		return "", false
	}
	if strings.ContainsRune(n.Value, 0) {
		d.add(n, at, "holds a NUL character", "")
		return "", false
	}
	if ok != nil {
		if problem, nearest := ok(n.Value); problem != "" {
			d.add(n, at, problem, nearest)
			return "", false
		}
	}
	return n.Value, true
}
