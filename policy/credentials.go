package policy

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (d *decoder) credentials(n *yaml.Node, at string) {
	d.policy.Credentials = []Credential{}
	d.items(n, at, func(n *yaml.Node, at string) {
		d.policy.Credentials = append(d.policy.Credentials, d.credential(n, at))
	})
	d.oneOfEach(d.policy.Credentials, at)
}

func (d *decoder) credential(n *yaml.Node, at string) Credential {
	c := defaultCredential()
	d.group(n, at, keys{
		"name":   d.text(&c.Name, credentialName),
		"from":   d.unseen(&c.From, source),
		"route":  d.route(&c.Route),
		"attach": d.attach(&c.Attach),
		"allow":  d.allow(&c.Allow),
		"git": func(n *yaml.Node, at string) {
			g := defaultGit()
			c.Git = &g
			d.git(n, at, c.Git)
		},
		"limits": d.bounds(&c.Limits),
		"sets":   d.sets(c.Sets),
	})
	d.needs(n, at, "name", "from", "route", "attach")
	if c.From == "env" && c.Name != "" {
		variable := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(c.Name))
		if c.From = "env:" + variable; !variableRE.MatchString(variable) {
			d.addAt(join(at, "from"), "no variable can be named like this credential, write env:VARIABLE")
		}
	}
	if c.Git != nil {
		if _, written := d.policy.Origins[join(at, "limits.body")]; !written {
			c.Limits.Body = 0
		}
		if len(c.Allow) > 0 {
			d.addAt(join(at, "allow"), "stands next to git, which says by itself what is allowed; make it two credentials")
		}
		if s := c.Attach.Style; s == AttachHeader || s == AttachQuery {
			d.addAt(join(at, "attach"), "git takes bearer or {basic: USER}, not "+string(s))
		}
	}
	return c
}

// needs reports the keys that a group does not have.
func (d *decoder) needs(n *yaml.Node, at string, wanted ...string) {
	for _, key := range wanted {
		if _, ok := d.policy.Origins[join(at, key)]; !ok && n.Kind == yaml.MappingNode {
			d.add(n, at, "needs "+key, "")
		}
	}
}

func (d *decoder) route(r *Route) reader {
	return func(n *yaml.Node, at string) {
		d.group(n, at, keys{
			"listen":    d.text(&r.Listen, listen),
			"upstream":  d.unseen(&r.Upstream, upstream),
			"ca":        d.text(&r.CA, optionalPath),
			"networks":  d.words(&r.Networks, true, network),
			"websocket": d.flag(&r.WebSocket),
		})
		d.needs(n, at, "listen", "upstream")
		if a, ok := upstreamAddr(r.Upstream); ok && !r.Permits(a) {
			d.addAt(join(at, "upstream"), "is "+a.String()+", which is not on the public internet; list a range around it in networks if it is meant")
		}
	}
}

// attach reads a word, or a group with one key.
func (d *decoder) attach(a *Attach) reader {
	const want = "bearer, {header: NAME}, {basic: USER} or {query: NAME}"
	styles := []string{string(AttachHeader), string(AttachBearer), string(AttachBasic), string(AttachQuery)}
	name := func(style AttachStyle, ok rule) reader {
		return func(n *yaml.Node, at string) {
			a.Style = style
			d.unseen(&a.Name, ok)(n, at)
		}
	}
	return func(n *yaml.Node, at string) {
		if n.Kind != yaml.MappingNode {
			switch s := n.Value; {
			case !scalar(n, "!!str"):
				d.add(n, at, "want "+want, "")
			case s == string(AttachBearer):
				a.Style = AttachBearer
			case slices.Contains(laterStyles, s):
				d.add(n, at, notYet(s), "")
			case slices.Contains(styles, s):
				d.add(n, at, s+" needs a name; want "+want, "")
			default: // somebody may have written the value itself
				d.add(n, at, "want "+want, Nearest(s, styles))
			}
			return
		}
		if len(n.Content) != 2 {
			d.add(n, at, "want one of "+want, "")
			return
		}
		known := keys{
			"header": name(AttachHeader, headerName),
			"basic":  name(AttachBasic, userName),
			"query":  name(AttachQuery, parameterName),
			"bearer": func(n *yaml.Node, at string) { d.add(n, at, "bearer has no name, write attach: bearer", "") },
		}
		for _, s := range laterStyles {
			known[s] = func(n *yaml.Node, at string) { d.add(n, at, notYet(s), "") }
		}
		d.group(n, at, known)
	}
}

func (d *decoder) allow(list *[]Allow) reader {
	return func(n *yaml.Node, at string) {
		d.items(n, at, func(n *yaml.Node, at string) {
			a := Allow{Methods: []string{}, Paths: []string{}}
			d.group(n, at, keys{
				"methods": d.someWords(&a.Methods, "a method", method),
				"paths":   d.someWords(&a.Paths, "a path", pathPattern),
			})
			d.needs(n, at, "methods", "paths")
			*list = append(*list, a)
		})
	}
}

func (d *decoder) git(n *yaml.Node, at string, g *GitAccess) {
	d.group(n, at, keys{
		"repositories": d.someWords(&g.Repositories, "a repository", repository),
		"fetch":        d.flag(&g.Fetch),
		"push":         d.words(&g.Push, true, ref),
		"force":        d.flag(&g.Force),
		"tags":         d.flag(&g.Tags),
		"delete":       d.flag(&g.Delete),
	})
	d.needs(n, at, "repositories")
}

func (d *decoder) bounds(b *Bounds) reader {
	return func(n *yaml.Node, at string) {
		d.group(n, at, keys{
			"rate":        d.rate(&b.Rate),
			"concurrency": d.count(&b.Concurrency, 1, maxConcurrency),
			"body":        d.size(&b.Body, 1),
			"budget": func(n *yaml.Node, at string) {
				d.group(n, at, keys{"requests": d.count(&b.Budget.Requests, 1, maxBudget)})
			},
		})
	}
}

const (
	maxConcurrency = 100_000
	maxBudget      = 1_000_000_000_000
)

func (d *decoder) rate(dst *Rate) reader {
	return func(n *yaml.Node, at string) {
		if !scalar(n, "!!str", "!!int", "!!float") {
			d.wrongType(n, at, "a rate as 10/s, 100/min, 1000/h or unlimited")
			return
		}
		if n.Value == unlimited {
			*dst = Rate{}
			return
		}
		r, problem := parseRate(n.Value)
		if problem != "" {
			d.add(n, at, problem, Nearest(n.Value, []string{unlimited}))
			return
		}
		*dst = r
	}
}

func (d *decoder) sets(into map[string]string) reader {
	return func(n *yaml.Node, at string) {
		d.entries(n, at, func(k, v *yaml.Node, at string) {
			if problem := variable(k.Value); problem != "" {
				d.add(k, at, problem, "")
				return
			}
			var value string
			d.unseen(&value, standIn)(v, at)
			into[k.Value] = value
		})
	}
}

// someWords reads a set of at least one text into dst.
func (d *decoder) someWords(dst *[]string, what string, ok rule) reader {
	return func(n *yaml.Node, at string) {
		if d.words(dst, true, ok)(n, at); n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			d.add(n, at, "is empty, want "+what, "")
		}
	}
}

// unseen reads a text that no error repeats, as it can be, or hold, a
// credential that was written in the wrong place. Its rule must not repeat it
// either.
func (d *decoder) unseen(dst *string, ok rule) reader {
	return func(n *yaml.Node, at string) {
		if !scalar(n, "!!str") {
			d.add(n, at, "want text (in quotes)", "")
			return
		}
		d.text(dst, ok)(n, at)
	}
}

// oneOfEach checks what credentials may not share: a name, a place to listen
// at, a variable of the agent's environment with two values.
func (d *decoder) oneOfEach(list []Credential, at string) {
	type setting struct {
		value string
		by    int
	}
	named, listening, set := map[string]int{}, map[string]int{}, map[string]setting{}
	key := func(i int, rest string) string { return join(at+"["+strconv.Itoa(i)+"]", rest) }
	for i, c := range list {
		if _, taken := named[c.Name]; taken && c.Name != "" {
			d.addAt(key(i, "name"), "a credential above has this name too")
		} else {
			named[c.Name] = i
		}
		if _, taken := listening[c.Route.Listen]; !taken {
			listening[c.Route.Listen] = i
		}
		for name, value := range c.Sets {
			if s, taken := set[name]; taken && s.value != value {
				d.addAt(join(key(i, "sets"), name), "is set to something else by "+quoted(list[s.by].Name))
			} else {
				set[name] = setting{value, i}
			}
		}
	}
	for i, c := range list {
		if c.Route.Listen == "/" && len(list) > 1 {
			d.addAt(key(i, "route.listen"), "/ takes every request, so it can only be where one credential is all")
			continue
		}
		// The prefixes of a path that are whole segments, itself included.
		for end := len(c.Route.Listen); end > 0; end = strings.LastIndexByte(c.Route.Listen[:end], '/') {
			if other, taken := listening[c.Route.Listen[:end]]; taken && other != i {
				d.addAt(key(i, "route.listen"), "lies in "+c.Route.Listen[:end]+", where "+quoted(list[other].Name)+" listens already")
			}
		}
	}
}
