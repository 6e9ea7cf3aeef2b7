package policy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func TestSchemaGolden(t *testing.T) {
	s, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/schema.json", string(s))
	if !bytes.Contains(s, []byte(`"$schema": "https://json-schema.org/draft/2020-12/schema"`)) {
		t.Error("not a 2020-12 schema")
	}
}

// The table of properties says nothing about keys that are gone.
func TestSchemaTableIsUsed(t *testing.T) {
	s, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	for key, p := range properties {
		text, _ := json.Marshal(p.description)
		if !bytes.Contains(bytes.ReplaceAll(s, []byte(`\u0026`), []byte("&")), text) {
			t.Errorf("%s is described and not in the schema", key)
		}
	}
}

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	s, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("tightship.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("tightship.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON reads YAML the way an editor does: a date is a text.
func asJSON(t testing.TB, data []byte) any {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	var dates func(*yaml.Node)
	dates = func(n *yaml.Node) {
		if n.ShortTag() == "!!timestamp" {
			n.Tag = "!!str"
		}
		for _, c := range n.Content {
			dates(c)
		}
	}
	dates(&root)
	var v any
	if err := root.Decode(&v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAccepts(t *testing.T) {
	schema := compiled(t)
	full, err := Default().YAML()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"default":     string(full),
		"template":    string(InitTemplate()),
		"explained":   explained,
		"numbers":     "limits: {memory: 8388608, swap: 0, cpus: 0.5, pids: 5, core: 1g}",
		"words":       "limits: {memory: unlimited, swap: unlimited, cpus: unlimited, pids: unlimited, nofile: '64', core: '0'}",
		"credentials": manyCredentials,
		"others":      "rootfs: writable\nnetwork: bridge\nseccomp: ./x\nruntime: ''\ncapabilities: [CAP_CHOWN, ALL]\nuser: {name: '', groups: [1]}\ncredentials: []",
	} {
		t.Run(name, func(t *testing.T) {
			decode(t, file)
			if err := schema.Validate(asJSON(t, []byte(file))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t)
	for _, file := range []string{
		"[]", "zebra: 1", "version: 2", "image: --x", "user: {uid: -1}", "user: {uid: 4294967295}", "user: {uid: root}",
		"user: {groups: [1, 1]}", "user: {zebra: 1}", "rootfs: readonly", "tmpfs: {tmp: {}}", "tmpfs: {/tmp: {noexec: true}}",
		"tmpfs: {/tmp: {size: 0}}", "tmpfs: {/tmp: {exec: 'yes'}}", "workspace: {mode: overlay}", "workspace: {target: a}",
		"limits: {memory: 2gb}", "limits: {memory: 0}", "limits: {memory: -1}", "limits: {swap: -1}", "limits: {cpus: 0}",
		"limits: {pids: 0}", "limits: {pids: 1.5}", "limits: {memroy: 1g}", "capabilities: [NOPE]", "capabilities: [CHOWN, CHOWN]",
		"no_new_privileges: 'true'", "seccomp: strict", "network: broker", "sysctls: {vm.swappiness: '1'}",
		"sysctls: {net.core.somaxconn: 1}", "environment: {commands: [{expect: a}]}", "environment: {commands: [{run: []}]}",
		"environment: {python_packages: ['a; b']}", "environment: {git: {name: a}}", "credentials: [{}]", "credentials: {}", "runtime: --x",
		"accept: [{check: a, reason: b}]", "accept: [{check: a, until: 2030-01-01}]", "accept: [{reason: b, until: 2030-01-01}]",
		"accept: [{check: a, reason: ' ', until: 2030-01-01}]", "accept: [{check: a, reason: b, until: soon}]",
		"accept: [{check: '', reason: b, until: 2030-01-01}]",
		"credentials: [{from: env, attach: bearer, route: {listen: /, upstream: 'https://a'}}]",
		"credentials: [{name: a, attach: bearer, route: {listen: /, upstream: 'https://a'}}]",
		"credentials: [{name: a, from: env, route: {listen: /, upstream: 'https://a'}}]",
		"credentials: [{name: a, from: env, attach: bearer}]",
		credentialFile("form: x"), credentialFile("name: A"), credentialFile("from: hunter2"), credentialFile("from: environ"), credentialFile("from: vault:a"), credentialFile("from: file"),
		credentialFile("route: {listen: a, upstream: 'https://a'}"), credentialFile("route: {listen: /a, upstream: 'http://a'}"), credentialFile("route: {listen: /a, upstream: 'https://u@a'}"),
		credentialFile("route: {listen: /a}"), credentialFile("route: {upstream: 'https://a'}"), credentialFile("route: {listen: /a, upstream: 'https://a', networks: [10.0.0.1]}"),
		credentialFile("route: {listen: /a, upstream: 'https://a', networks: [10.0.0.0/8, 10.0.0.0/8]}"),
		credentialFile("attach: header"), credentialFile("attach: {}"), credentialFile("attach: {ssh: {}}"), credentialFile("attach: {header: a, basic: b}"),
		credentialFile("attach: {header: 'a b'}"), credentialFile("attach: {basic: 'a:b'}"), credentialFile("attach: {query: 'a=b'}"),
		credentialFile("allow: [{methods: [], paths: [/]}]"), credentialFile("allow: [{methods: [get], paths: [/]}]"), credentialFile("allow: [{methods: [GET], paths: []}]"),
		credentialFile("allow: [{methods: [GET]}]"), credentialFile("allow: [{paths: [/]}]"), credentialFile("allow: [{methods: [GET], paths: [a]}]"),
		credentialFile("allow: [{methods: [GET, GET], paths: [/]}]"), credentialFile("allow: [{methods: [GET], paths: ['/?a']}]"),
		credentialFile("git: {}"), credentialFile("git: {repositories: []}"), credentialFile("git: {repositories: [/a]}"), credentialFile("git: {repositories: [a], push: [main]}"),
		credentialFile("git: {repositories: [a], fetch: 'true'}"), credentialFile("limits: {rate: 100}"), credentialFile("limits: {rate: 0/s}"), credentialFile("limits: {rate: 1/d}"),
		credentialFile("limits: {concurrency: 0}"), credentialFile("limits: {body: 0}"), credentialFile("limits: {budget: {requests: 0}}"), credentialFile("limits: {budget: 1}"),
		credentialFile("sets: {a-b: c}"), credentialFile("sets: {A: 1}"),
	} {
		t.Run(file, func(t *testing.T) {
			if err := schema.Validate(asJSON(t, []byte(file))); err == nil {
				t.Error("the schema takes it")
			}
			if _, err := Decode("f", []byte(file)); err == nil {
				t.Error("the decoder takes it")
			}
		})
	}
}

// Each leaf of the default stands in the schema as the default.
func TestSchemaDefaults(t *testing.T) {
	s, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"default": "tightship-agent:latest"`, `"default": 1000`, `"default": "2g"`, `"default": "read-only"`} {
		if !strings.Contains(string(s), want) {
			t.Errorf("the schema does not say %s", want)
		}
	}
}
