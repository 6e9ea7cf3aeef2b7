package policy

// tree is one credential in the order of the file. With git there is no allow,
// and without git no git: neither means anything next to the other.
func (c Credential) tree() []node {
	attach := node{key: "attach", leaf: string(c.Attach.Style)}
	if c.Attach.Style != AttachBearer {
		attach = node{key: "attach", kids: []node{{key: string(c.Attach.Style), leaf: c.Attach.Name}}}
	}
	allowed := node{key: "allow", list: true, kids: listed(c.Allow, Allow.tree)}
	if c.Git != nil {
		allowed = node{key: "git", kids: c.Git.tree()}
	}
	return []node{
		{key: "name", leaf: c.Name},
		{key: "from", leaf: c.From},
		{key: "route", kids: []node{
			{key: "listen", leaf: c.Route.Listen},
			{key: "upstream", leaf: c.Route.Upstream},
			{key: "ca", leaf: c.Route.CA},
			{key: "networks", leaf: c.Route.Networks},
			{key: "websocket", leaf: c.Route.WebSocket},
		}},
		attach,
		allowed,
		{key: "limits", kids: []node{
			{key: "rate", leaf: literal(c.Limits.Rate.String())},
			{key: "concurrency", leaf: literal(c.Limits.Concurrency.String())},
			{key: "body", leaf: bounded(c.Limits.Body)},
			{key: "budget", kids: []node{{key: "requests", leaf: literal(c.Limits.Budget.Requests.String())}}},
		}},
		{key: "sets", kids: mapped(c.Sets, func(v string) node { return node{leaf: v} })},
	}
}

func (g GitAccess) tree() []node {
	return []node{
		{key: "repositories", leaf: g.Repositories},
		{key: "fetch", leaf: g.Fetch},
		{key: "push", leaf: g.Push},
		{key: "force", leaf: g.Force},
		{key: "tags", leaf: g.Tags},
		{key: "delete", leaf: g.Delete},
	}
}

func (a Allow) tree() []node {
	return []node{{key: "methods", leaf: a.Methods}, {key: "paths", leaf: a.Paths}}
}
