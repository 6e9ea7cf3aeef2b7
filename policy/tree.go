package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// node is a policy in the shape of its file, which is what YAML, Explain,
// Digest and the schema's defaults all work from.
type node struct {
	key  string // "" for an item of a list
	kids []node // of a group or a list of groups
	list bool   // kids are items
	leaf any    // nil for a group; else string, int64, bool, literal, []string, []int64
}

// literal is a number with a unit: text that is written without quotes.
type literal string

// tree is the whole policy in the order of the file.
func (p *Policy) tree() []node {
	l := p.Limits
	return []node{
		{key: "version", leaf: int64(p.Version)},
		{key: "image", leaf: p.Image},
		{key: "user", kids: []node{
			{key: "name", leaf: p.User.Name},
			{key: "uid", leaf: p.User.UID},
			{key: "gid", leaf: p.User.GID},
			{key: "groups", leaf: p.User.Groups},
		}},
		{key: "rootfs", leaf: string(p.Rootfs)},
		{key: "tmpfs", kids: mapped(p.Tmpfs, func(t Tmpfs) node {
			return node{kids: []node{
				{key: "size", leaf: bounded(t.Size)},
				{key: "exec", leaf: t.Exec},
				{key: "suid", leaf: t.Suid},
				{key: "dev", leaf: t.Dev},
			}}
		})},
		{key: "workspace", kids: []node{
			{key: "source", leaf: p.Workspace.Source},
			{key: "target", leaf: p.Workspace.Target},
			{key: "mode", leaf: string(p.Workspace.Mode)},
		}},
		{key: "limits", kids: []node{
			{key: "memory", leaf: bounded(l.Memory)},
			{key: "swap", leaf: literal(l.Swap.String())},
			{key: "cpus", leaf: literal(l.CPUs.String())},
			{key: "pids", leaf: literal(l.PIDs.String())},
			{key: "nofile", leaf: literal(l.NoFile.String())},
			{key: "core", leaf: literal(l.Core.String())},
		}},
		{key: "capabilities", leaf: p.Capabilities},
		{key: "no_new_privileges", leaf: p.NoNewPrivileges},
		{key: "seccomp", leaf: p.Seccomp},
		{key: "network", leaf: string(p.Network)},
		{key: "sysctls", kids: mapped(p.Sysctls, func(v string) node { return node{leaf: v} })},
		{key: "environment", kids: []node{
			{key: "commands", list: true, kids: listed(p.Environment.Commands, func(c Command) []node {
				return []node{{key: "run", leaf: c.Run}, {key: "expect", leaf: c.Expect}}
			})},
			{key: "python_packages", leaf: p.Environment.PythonPackages},
			{key: "git", kids: []node{
				{key: "user.name", leaf: p.Environment.Git.UserName},
				{key: "user.email", leaf: p.Environment.Git.UserEmail},
				{key: "noninteractive", leaf: p.Environment.Git.NonInteractive},
			}},
		}},
		{key: "credentials", list: true, kids: listed(p.Credentials, Credential.tree)},
		{key: "runtime", leaf: p.Runtime},
		{key: "accept", list: true, kids: listed(p.Accept, func(a Accept) []node {
			return []node{
				{key: "check", leaf: a.Check},
				{key: "reason", leaf: a.Reason},
				{key: "until", leaf: string(a.Until)},
			}
		})},
	}
}

// bounded writes a size where 0 stands for no limit.
func bounded(s Size) literal {
	if s == 0 {
		return unlimited
	}
	return literal(s.String())
}

func mapped[V any](m map[string]V, f func(V) node) []node {
	kids := make([]node, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		n := f(m[k])
		n.key = k
		kids = append(kids, n)
	}
	return kids
}

func listed[V any](list []V, f func(V) []node) []node {
	kids := make([]node, 0, len(list))
	for _, v := range list {
		kids = append(kids, node{kids: f(v)})
	}
	return kids
}

// value is the node as JSON has it; a number with a unit is a string.
func (n node) value() any {
	switch v := n.leaf.(type) {
	case nil:
	case []string:
		return append([]string{}, v...) // never null
	case []int64:
		return append([]int64{}, v...)
	default:
		return v
	}
	if n.list {
		list := make([]any, len(n.kids))
		for i, k := range n.kids {
			list[i] = k.value()
		}
		return list
	}
	m := make(map[string]any, len(n.kids))
	for _, k := range n.kids {
		m[k.key] = k.value()
	}
	return m
}

// Digest is "sha256:…" over the effective policy, whatever of it was written
// out and in whatever order. It covers every setting and nothing else: where a
// value came from does not count, nor does what stands in a seccomp file, only
// the file's name; a record of what ran also needs the settings of Container.
func (p *Policy) Digest() string {
	// encoding/json sorts the keys of maps. It cannot fail on these types.
	data, err := json.Marshal(node{kids: p.tree()}.value())
	if err != nil {
		panic(fmt.Sprintf("policy: digest: %v", err))
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// YAML writes the effective policy as a file, with every key. Decode reads it
// back to the same policy.
func (p *Policy) YAML() ([]byte, error) {
	var b strings.Builder
	if err := WriteExplain(&b, bare(Explain(p, nil)), 0); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}
