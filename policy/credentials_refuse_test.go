package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a credential may not say, and how that is told. Every rule has a row
// that fails when the rule is taken out. A row's lines take the place of those
// of credentialFile: name is on line 2, from on 3, route on 4, attach on 5, and
// the rest on 6.
func TestDecodeCredentialRefuses(t *testing.T) {
	const (
		f        = "tightship.yaml:"
		noPlace  = "looks like a credential itself. Keep it out of this file"
		namedNow = noPlace + " and say where it is: env:VARIABLE, file:PATH, exec:COMMAND, age:FILE, keyring:NAME or oauth:FILE"
		kinds    = "want KIND:WHERE, the kinds are env, file, exec, age, keyring, oauth"
		styles   = "bearer, {header: NAME}, {basic: USER} or {query: NAME}"
		unclean  = `want a path without "..", ".", doubled or closing slashes, found `
		base     = `want a path of letters, digits, dots, dashes, _ and ~ behind the host, without "..", ".", doubled or closing slashes`
		host     = "want a host's name in lower case, or its address, after https://"
		meta     = ", where a cloud hands out credentials to whoever asks; list a smaller range"
		badRef   = "cannot be a ref's name (git check-ref-format), found "
	)
	upstream := func(s string) string { return "route: {listen: /a, upstream: '" + s + "'}" }
	listen := func(s string) string { return "route: {listen: '" + s + "', upstream: 'https://a'}" }
	networks := func(s string) string { return "route: {listen: /a, upstream: 'https://a', networks: [" + s + "]}" }
	path := func(s string) string { return "allow: [{methods: [GET], paths: ['" + s + "']}]" }
	push := func(s string) string { return "git: {repositories: [a/b], push: ['" + s + "']}" }
	repo := func(s string) string { return "git: {repositories: ['" + s + "']}" }
	long := strings.Repeat("a", 2000)
	for _, row := range []struct{ name, line, want string }{
		{"unknown key", "form: env", f + `6:3: credentials[0].form: unknown key (did you mean "from"?)`},
		{"key of the route", "upstream: x", f + `6:3: credentials[0].upstream: unknown key (did you mean "route.upstream"?)`},
		{"key of an allowance", "methods: x", f + `6:3: credentials[0].methods: unknown key (did you mean "allow[].methods"?)`},
		{"key of git", "push: x", f + `6:3: credentials[0].push: unknown key (did you mean "git.push"?)`},
		{"key of attach", "header: x", f + `6:3: credentials[0].header: unknown key (did you mean "attach.header"?)`},
		{"key of the policy", "workspace: x", f + `6:3: credentials[0].workspace: unknown key`},

		{"name in upper case", "name: GitHub", f + `2:9: credentials[0].name: want a name of a-z, 0-9, dots, dashes and underscores, found "GitHub"`},
		{"name that is an option", "name: --a", f + `2:9: credentials[0].name: want a name of a-z, 0-9, dots, dashes and underscores, found "--a"`},
		{"name too long", "name: " + strings.Repeat("a", 64), f + `2:9: credentials[0].name: want a name of a-z, 0-9, dots, dashes and underscores, found "` + strings.Repeat("a", 60) + `…"`},
		{"name that is a key", "name: sk-proj-0123456789abcdef", f + `2:9: credentials[0].name: ` + noPlace},

		{"no such kind", "from: fiel:x", f + `3:9: credentials[0].from: ` + kinds + ` (did you mean "file"?)`},
		{"a URL", "from: https://user:hunter2@a.example", f + `3:9: credentials[0].from: ` + kinds},
		{"a password", "from: hunter2", f + `3:9: credentials[0].from: ` + kinds},
		{"a number", "from: 12345678", f + `3:9: credentials[0].from: want text (in quotes)`},
		{"a list", "from: [hunter2]", f + `3:9: credentials[0].from: want text (in quotes)`},
		{"nothing", "from: ''", f + `3:9: credentials[0].from: ` + kinds},
		{"vault", "from: vault:a/b", f + `3:9: credentials[0].from: "vault" is not supported by this version`},
		{"1password", "from: 'op://a/b'", f + `3:9: credentials[0].from: "op" is not supported by this version`},
		{"a key", "from: sk-ant-api03-Zm9vYmFyYmF6cXV4", f + `3:9: credentials[0].from: ` + namedNow},
		{"a random text", "from: aB3dE6gH9jK2mN5pQ8sT", f + `3:9: credentials[0].from: ` + namedNow},
		{"a key in hex", "from: 0123456789abcdef0123456789abcdef", f + `3:9: credentials[0].from: ` + namedNow},
		{"a key for a kind", "from: ghp_0123456789abcdefghij:x", f + `3:9: credentials[0].from: ` + namedNow},
		{"a key in a command", "from: echo ghp_0123456789abcdefghij", f + `3:9: credentials[0].from: ` + namedNow},
		{"a key in a command of exec", "from: exec:echo ghp_0123456789abcdefghij", f + `3:9: credentials[0].from: ` + namedNow},
		{"a key for a variable", "from: env:aB3dE6gH9jK2mN5pQ8sT", f + `3:9: credentials[0].from: ` + namedNow},
		{"a key for an entry", "from: keyring:aB3dE6gH9jK2mN5pQ8sT", f + `3:9: credentials[0].from: ` + namedNow},
		{"a key for a path", "from: file:AKIAIOSFODNN7EXAMPLE", f + `3:9: credentials[0].from: ` + namedNow},
		{"a private key", `from: "-----BEGIN OPENSSH PRIVATE KEY-----"`, f + `3:9: credentials[0].from: ` + namedNow},
		{"a key on lines", `from: "a\nb"`, f + `3:9: credentials[0].from: holds a character that cannot be printed`},
		{"without end", "from: file:" + long, f + `3:9: credentials[0].from: is too long for the place of a credential`},
		{"no variable", "from: 'env:'", f + `3:9: credentials[0].from: want env, or env: and the name of a variable`},
		{"an assignment", "from: env:A=hunter2", f + `3:9: credentials[0].from: want env, or env: and the name of a variable`},
		{"no path", "from: 'file:'", f + `3:9: credentials[0].from: the path after file: is empty, want a path`},
		{"no home", "from: age:~/", f + `3:9: credentials[0].from: the path after age: is empty, want a path`},
		{"bare home", "from: oauth:~", f + `3:9: credentials[0].from: the path after oauth: want ~/ and the rest, only your own home is known`},
		{"somebody else's home", "from: file:~root/x", f + `3:9: credentials[0].from: the path after file: want ~/ and the rest, only your own home is known`},
		{"bare file", "from: file", f + `3:9: credentials[0].from: the path after file: is empty, want a path`},
		{"no command", "from: 'exec: '", f + `3:9: credentials[0].from: want exec: and a command that prints the credential`},
		{"no entry", "from: 'keyring:'", f + `3:9: credentials[0].from: want keyring: and the name of an entry`},
		{"entry with a space", "from: 'keyring: a'", f + `3:9: credentials[0].from: want keyring: and the name of an entry`},
		{"name that is no variable", "name: 1password", f + `3:3: credentials[0].from: no variable can be named like this credential, write env:VARIABLE`},

		{"route without upstream", "route: {listen: /a}", f + `4:10: credentials[0].route: needs upstream`},
		{"route without listen", "route: {upstream: 'https://a'}", f + `4:10: credentials[0].route: needs listen`},
		{"route as text", "route: /a", f + `4:10: credentials[0].route: want keys and values, found the text "/a"`},
		{"relative listen", listen("a"), f + `4:19: credentials[0].route.listen: want a path that begins with /, found "a" (did you mean "/a"?)`},
		{"listen with a closing slash", listen("/a/"), f + `4:19: credentials[0].route.listen: ` + unclean + `"/a/" (did you mean "/a"?)`},
		{"listen with ..", listen("/a/../b"), f + `4:19: credentials[0].route.listen: ` + unclean + `"/a/../b" (did you mean "/b"?)`},
		{"listen with a query", listen("/a?b"), f + `4:19: credentials[0].route.listen: want a path of letters, digits, dots, dashes, _ and ~, found "/a?b"`},
		{"listen encoded", listen("/a%62"), f + `4:19: credentials[0].route.listen: want a path of letters, digits, dots, dashes, _ and ~, found "/a%62"`},
		{"listen as a pattern", listen("/a/*"), f + `4:19: credentials[0].route.listen: want a path of letters, digits, dots, dashes, _ and ~, found "/a/*"`},
		{"listen at nothing", listen(""), f + `4:19: credentials[0].route.listen: want a path that begins with /, found "" (did you mean "/"?)`},
		{"listen without end", listen("/" + long), f + `4:19: credentials[0].route.listen: is too long for a path to listen at`},
		{"listen at a key", listen("sk-ant-api03-Zm9vYmFyYmF6cXV4"), f + `4:19: credentials[0].route.listen: want a path that begins with /, found "(what looks like a credential)"`},

		{"upstream as a number", "route: {listen: /a, upstream: 12345678}", f + `4:33: credentials[0].route.upstream: want text (in quotes)`},
		{"upstream in the clear", upstream("http://a.example"), f + `4:33: credentials[0].route.upstream: want https://, a credential is never sent in the clear`},
		{"upstream without a scheme", upstream("a.example"), f + `4:33: credentials[0].route.upstream: want https://HOST[:PORT][/BASE]`},
		{"upstream with a scheme in upper case", upstream("HTTPS://a.example"), f + `4:33: credentials[0].route.upstream: want https://HOST[:PORT][/BASE]`},
		{"upstream with a password", upstream("https://u:hunter2@a.example"), f + `4:33: credentials[0].route.upstream: must not name a user or password; attach says how the credential is sent`},
		{"upstream with a query", upstream("https://a.example?key=hunter2"), f + `4:33: credentials[0].route.upstream: must not have a query or a fragment, only https://HOST[:PORT][/BASE]`},
		{"upstream with a fragment", upstream("https://a.example#x"), f + `4:33: credentials[0].route.upstream: must not have a query or a fragment, only https://HOST[:PORT][/BASE]`},
		{"upstream without a host", upstream("https://"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with a port only", upstream("https://:443"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream in upper case", upstream("https://A.example"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with an underscore", upstream("https://a_b.example"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with a closing dot", upstream("https://a.example."), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream beyond ASCII", upstream("https://ä.example"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream as a template", upstream("https://{service}.a.example"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with a short address", upstream("https://127.1"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with a hexadecimal address", upstream("https://0x7f.1"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with an address in one number", upstream("https://2130706433"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with an octal address", upstream("https://0177.0.0.1"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with a name too long", upstream("https://" + strings.Repeat("a", 64)), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream without brackets", upstream("https://2606:4700::1"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with brackets for nothing", upstream("https://[93.184.216.34]"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with a zone", upstream("https://[2606:4700::1%eth0]"), f + `4:33: credentials[0].route.upstream: ` + host},
		{"upstream with a colon and no port", upstream("https://a.example:"), f + `4:33: credentials[0].route.upstream: want a port between 1 and 65535 after the host`},
		{"upstream with port 0", upstream("https://a.example:0"), f + `4:33: credentials[0].route.upstream: want a port between 1 and 65535 after the host`},
		{"upstream with a port too high", upstream("https://a.example:65536"), f + `4:33: credentials[0].route.upstream: want a port between 1 and 65535 after the host`},
		{"upstream with a port by name", upstream("https://a.example:https"), f + `4:33: credentials[0].route.upstream: want a port between 1 and 65535 after the host`},
		{"upstream with a slash", upstream("https://a.example/"), f + `4:33: credentials[0].route.upstream: want no slash at the end (did you mean "https://a.example"?)`},
		{"upstream with a path and a slash", upstream("https://a.example/v1/"), f + `4:33: credentials[0].route.upstream: ` + base},
		{"upstream with ..", upstream("https://a.example/v1/../x"), f + `4:33: credentials[0].route.upstream: ` + base},
		{"upstream encoded", upstream("https://a.example/v%31"), f + `4:33: credentials[0].route.upstream: ` + base},
		{"upstream with a space", upstream("https://a.example/ x"), f + `4:33: credentials[0].route.upstream: ` + base},
		{"upstream without end", upstream("https://a.example/" + long), f + `4:33: credentials[0].route.upstream: is too long for the URL of a server`},
		{"upstream on this machine", upstream("https://127.0.0.1:8443"), f + `4:23: credentials[0].route.upstream: is 127.0.0.1, which is not on the public internet; list a range around it in networks if it is meant`},
		{"upstream at home", upstream("https://[fd00::1]"), f + `4:23: credentials[0].route.upstream: is fd00::1, which is not on the public internet; list a range around it in networks if it is meant`},
		{"upstream outside of its networks", "route: {upstream: 'https://10.0.0.1', listen: /a, networks: [10.0.1.0/24]}", f + `4:11: credentials[0].route.upstream: is 10.0.0.1, which is not on the public internet; list a range around it in networks if it is meant`},

		{"home of somebody's CA", "route: {listen: /a, upstream: 'https://a', ca: ~b/c}", f + `4:50: credentials[0].route.ca: want ~/ and the rest, only your own home is known`},
		{"network without a length", networks("10.0.0.1"), f + `4:57: credentials[0].route.networks[0]: want a range with its length, found "10.0.0.1" (did you mean "10.0.0.1/32"?)`},
		{"network by name", networks("private"), f + `4:57: credentials[0].route.networks[0]: want a range as 10.1.0.0/16 or fd12::/48, found "private"`},
		{"network with more bits", networks("10.0.0.1/8"), f + `4:57: credentials[0].route.networks[0]: has bits set behind its length, found "10.0.0.1/8" (did you mean "10.0.0.0/8"?)`},
		{"network in the other's form", networks("'::ffff:10.0.0.0/104'"), f + `4:57: credentials[0].route.networks[0]: want an IPv4 range in its own form, found "::ffff:10.0.0.0/104"`},
		{"network twice", networks("10.0.0.0/8, 10.0.0.0/8"), f + `4:69: credentials[0].route.networks[1]: "10.0.0.0/8" is listed twice`},
		{"metadata itself", networks("169.254.169.254/32"), f + `4:57: credentials[0].route.networks[0]: holds 169.254.169.254` + meta},
		{"metadata of IPv6", networks("'fd00:ec2::/32'"), f + `4:57: credentials[0].route.networks[0]: holds fd00:ec2::254` + meta},
		{"everything", networks("0.0.0.0/0"), f + `4:57: credentials[0].route.networks[0]: holds 169.254.169.254` + meta},
		{"carriers' NAT", networks("100.64.0.0/10"), f + `4:57: credentials[0].route.networks[0]: holds 100.100.100.200` + meta},

		{"attach with a key", "attach: hunter2", f + `5:11: credentials[0].attach: want ` + styles},
		{"attach misspelt", "attach: baerer", f + `5:11: credentials[0].attach: want ` + styles + ` (did you mean "bearer"?)`},
		{"attach that needs a name", "attach: header", f + `5:11: credentials[0].attach: header needs a name; want ` + styles},
		{"attach as a number", "attach: 123456", f + `5:11: credentials[0].attach: want ` + styles},
		{"attach as a list", "attach: [bearer]", f + `5:11: credentials[0].attach: want ` + styles},
		{"attach with nothing", "attach: {}", f + `5:11: credentials[0].attach: want one of ` + styles},
		{"attach twice", "attach: {header: a, query: b}", f + `5:11: credentials[0].attach: want one of ` + styles},
		{"attach with a name for bearer", "attach: {bearer: hunter2}", f + `5:20: credentials[0].attach.bearer: bearer has no name, write attach: bearer`},
		{"attach in an unknown way", "attach: {haeder: x}", f + `5:12: credentials[0].attach.haeder: unknown key (did you mean "header"?)`},
		{"aws", "attach: aws-sigv4", f + `5:11: credentials[0].attach: "aws-sigv4" is not supported by this version`},
		{"aws with services", "attach: {aws-sigv4: {services: [s3]}}", f + `5:23: credentials[0].attach.aws-sigv4: "aws-sigv4" is not supported by this version`},
		{"ssh", "attach: ssh", f + `5:11: credentials[0].attach: "ssh" is not supported by this version`},
		{"ssh with hosts", "attach: {ssh: {}}", f + `5:17: credentials[0].attach.ssh: "ssh" is not supported by this version`},
		{"header that is none", "attach: {header: 'a b'}", f + `5:20: credentials[0].attach.header: want the name of a header`},
		{"header with its value", "attach: {header: 'x-api-key: hunter2'}", f + `5:20: credentials[0].attach.header: want the name of a header`},
		{"header without end", "attach: {header: " + long + "}", f + `5:20: credentials[0].attach.header: want the name of a header`},
		{"header of nothing", "attach: {header: ''}", f + `5:20: credentials[0].attach.header: want the name of a header`},
		{"header as a number", "attach: {header: 5}", f + `5:20: credentials[0].attach.header: want text (in quotes)`},
		{"header that is a key", "attach: {header: aB3dE6gH9jK2mN5pQ8sT}", f + `5:20: credentials[0].attach.header: ` + noPlace + "; this is the name of a header"},
		{"Host", "attach: {header: hOST}", f + `5:20: credentials[0].attach.header: a credential cannot be in the header "hOST", which says how the request is sent`},
		{"a proxy's header", "attach: {header: Proxy-Authorization}", f + `5:20: credentials[0].attach.header: a credential cannot be in the header "Proxy-Authorization", which says how the request is sent`},
		{"a WebSocket's header", "attach: {header: Sec-WebSocket-Protocol}", f + `5:20: credentials[0].attach.header: a credential cannot be in the header "Sec-WebSocket-Protocol", which says how the request is sent`},
		{"a forwarder's header", "attach: {header: X-Forwarded-For}", f + `5:20: credentials[0].attach.header: a credential cannot be in the header "X-Forwarded-For", which says how the request is sent`},
		{"user with a password", "attach: {basic: 'u:hunter2'}", f + `5:19: credentials[0].attach.basic: want the name of a user, without a colon`},
		{"user on lines", `attach: {basic: "a\nb"}`, f + `5:19: credentials[0].attach.basic: want the name of a user, without a colon`},
		{"user without end", "attach: {basic: " + long + "}", f + `5:19: credentials[0].attach.basic: want the name of a user, without a colon`},
		{"user that is a key", "attach: {basic: ghp_0123456789abcdefghij}", f + `5:19: credentials[0].attach.basic: ` + noPlace + "; this is the name of a user, and the credential is the password"},
		{"parameter that is none", "attach: {query: 'a=b'}", f + `5:19: credentials[0].attach.query: want the name of a parameter, of letters, digits, dots, dashes, _ and ~`},
		{"parameter without end", "attach: {query: " + long + "}", f + `5:19: credentials[0].attach.query: want the name of a parameter, of letters, digits, dots, dashes, _ and ~`},
		{"parameter that is a key", "attach: {query: aB3dE6gH9jK2mN5pQ8sT}", f + `5:19: credentials[0].attach.query: ` + noPlace + "; this is the name of a parameter"},

		{"allow without methods", "allow: [{paths: [/]}]", f + `6:11: credentials[0].allow[0]: needs methods`},
		{"allow without paths", "allow: [{methods: [GET]}]", f + `6:11: credentials[0].allow[0]: needs paths`},
		{"allow of no methods", "allow: [{methods: [], paths: [/]}]", f + `6:21: credentials[0].allow[0].methods: is empty, want a method`},
		{"allow of no paths", "allow: [{methods: [GET], paths: []}]", f + `6:35: credentials[0].allow[0].paths: is empty, want a path`},
		{"allow everything", "allow: all", f + `6:10: credentials[0].allow: want a list, found the text "all"`},
		{"method in lower case", "allow: [{methods: [get], paths: [/]}]", f + `6:22: credentials[0].allow[0].methods[0]: want a method in upper case, found "get" (did you mean "GET"?)`},
		{"every method", "allow: [{methods: ['*'], paths: [/]}]", f + `6:22: credentials[0].allow[0].methods[0]: want a method in upper case, found "*"`},
		{"method without end", "allow: [{methods: [" + strings.ToUpper(long) + "], paths: [/]}]", f + `6:22: credentials[0].allow[0].methods[0]: want a method in upper case, found "` + strings.Repeat("A", 60) + `…"`},
		{"method twice", "allow: [{methods: [GET, GET], paths: [/]}]", f + `6:27: credentials[0].allow[0].methods[1]: "GET" is listed twice`},
		{"CONNECT", "allow: [{methods: [CONNECT], paths: [/]}]", f + `6:22: credentials[0].allow[0].methods[0]: CONNECT is never allowed`},
		{"TRACE", "allow: [{methods: [TRACE], paths: [/]}]", f + `6:22: credentials[0].allow[0].methods[0]: TRACE is never allowed`},
		{"relative path", path("v1"), f + `6:36: credentials[0].allow[0].paths[0]: want a path that begins with /, found "v1" (did you mean "/v1"?)`},
		{"path with a query", path("/v1?beta=true"), f + `6:36: credentials[0].allow[0].paths[0]: want the path alone, the query is not looked at; found "/v1?beta=true" (did you mean "/v1"?)`},
		{"path that is encoded", path("/a%20b"), f + `6:36: credentials[0].allow[0].paths[0]: want the path as it is decoded, with nothing encoded but a slash (%2f); found "/a%20b"`},
		{"path with a slash encoded in upper case", path("/a%2Fb"), f + `6:36: credentials[0].allow[0].paths[0]: want the path as it is decoded, with nothing encoded but a slash (%2f); found "/a%2Fb"`},
		{"path of OpenAPI", path("/repos/{owner}"), f + `6:36: credentials[0].allow[0].paths[0]: knows * (in a segment) and ** (any number of segments) and no other pattern, found "/repos/{owner}"`},
		{"path with a class", path("/v[12]"), f + `6:36: credentials[0].allow[0].paths[0]: knows * (in a segment) and ** (any number of segments) and no other pattern, found "/v[12]"`},
		{"path with a backslash", path(`/\*`), f + `6:36: credentials[0].allow[0].paths[0]: knows * (in a segment) and ** (any number of segments) and no other pattern, found "/\\*"`},
		{"path with ..", path("/a/../b"), f + `6:36: credentials[0].allow[0].paths[0]: must not have a segment "." or "..", found "/a/../b"`},
		{"path with .", path("/a/."), f + `6:36: credentials[0].allow[0].paths[0]: must not have a segment "." or "..", found "/a/."`},
		{"path with an empty segment", path("/a//b"), f + `6:36: credentials[0].allow[0].paths[0]: has an empty segment, found "/a//b"`},
		{"path with a part of **", path("/a/b**"), f + `6:36: credentials[0].allow[0].paths[0]: has ** as a part of a segment, where it can only be a whole one; * is a part, found "/a/b**"`},
		{"path without end", path("/" + long), f + `6:36: credentials[0].allow[0].paths[0]: is too long for a path`},
		{"path on lines", `allow: [{methods: [GET], paths: ["/a\nb"]}]`, f + `6:36: credentials[0].allow[0].paths[0]: holds a character that cannot be printed`},

		{"git without repositories", "git: {fetch: true}", f + `6:8: credentials[0].git: needs repositories`},
		{"git with none", "git: {repositories: []}", f + `6:23: credentials[0].git.repositories: is empty, want a repository`},
		{"git and allow", "git: {repositories: [a/b]}\n  allow: [{methods: [GET], paths: [/]}]", f + `7:3: credentials[0].allow: stands next to git, which says by itself what is allowed; make it two credentials`},
		{"git by a header", "attach: {header: x}\n  git: {repositories: [a/b]}", f + `5:3: credentials[0].attach: git takes bearer or {basic: USER}, not header`},
		{"git by the query", "attach: {query: x}\n  git: {repositories: [a/b]}", f + `5:3: credentials[0].attach: git takes bearer or {basic: USER}, not query`},
		{"repository as a URL", repo("https://github.com/a/b"), f + `6:24: credentials[0].git.repositories[0]: want a repository's path as acme/widget or acme/*, found "https://github.com/a/b"`},
		{"repository with a slash", repo("/a/b"), f + `6:24: credentials[0].git.repositories[0]: want a repository's path as acme/widget or acme/*, found "/a/b" (did you mean "a/b"?)`},
		{"repository with .git", repo("a/b.git"), f + `6:24: credentials[0].git.repositories[0]: want the path without .git, which requests may have or not; found "a/b.git" (did you mean "a/b"?)`},
		{"repository with ..", repo("a/../b"), f + `6:24: credentials[0].git.repositories[0]: must not have a segment "." or "..", found "a/../b"`},
		{"repository without end", repo(long), f + `6:24: credentials[0].git.repositories[0]: is too long for a repository`},
		{"branch", push("main"), f + `6:37: credentials[0].git.push[0]: want a ref in full, found "main" (did you mean "refs/heads/main"?)`},
		{"half a ref", push("heads/main"), f + `6:37: credentials[0].git.push[0]: want a ref in full, found "heads/main" (did you mean "refs/heads/main"?)`},
		{"every ref", push("*"), f + `6:37: credentials[0].git.push[0]: want a ref in full, found "*" (did you mean "refs/heads/*"?)`},
		{"refspec", push("refs/heads/a:refs/heads/b"), f + `6:37: credentials[0].git.push[0]: ` + badRef + `"refs/heads/a:refs/heads/b"`},
		{"forced refspec", push("+refs/heads/a"), f + `6:37: credentials[0].git.push[0]: want a ref in full, found "+refs/heads/a" (did you mean "refs/heads/a"?)`},
		{"ref with ..", push("refs/heads/a..b"), f + `6:37: credentials[0].git.push[0]: ` + badRef + `"refs/heads/a..b"`},
		{"ref with @{", push("refs/heads/a@{1}"), f + `6:37: credentials[0].git.push[0]: ` + badRef + `"refs/heads/a@{1}"`},
		{"ref with a closing dot", push("refs/heads/a."), f + `6:37: credentials[0].git.push[0]: ` + badRef + `"refs/heads/a."`},
		{"ref with a closing slash", push("refs/heads/a/"), f + `6:37: credentials[0].git.push[0]: ` + badRef + `"refs/heads/a/"`},
		{"hidden ref", push("refs/heads/.a"), f + `6:37: credentials[0].git.push[0]: ` + badRef + `"refs/heads/.a"`},
		{"lock of a ref", push("refs/heads/a.lock"), f + `6:37: credentials[0].git.push[0]: ` + badRef + `"refs/heads/a.lock"`},
		{"ref with a part of **", push("refs/heads/a**"), f + `6:37: credentials[0].git.push[0]: has ** as a part of a segment, where it can only be a whole one; * is a part, found "refs/heads/a**"`},
		{"ref without end", push("refs/heads/" + long), f + `6:37: credentials[0].git.push[0]: is too long for a ref`},
		{"ref on lines", `git: {repositories: [a/b], push: ["refs/a\nb"]}`, f + `6:37: credentials[0].git.push[0]: holds a character that cannot be printed`},
		{"push twice", "git: {repositories: [a/b], push: [refs/a, refs/a]}", f + `6:45: credentials[0].git.push[1]: "refs/a" is listed twice`},

		{"rate in days", "limits: {rate: 5/d}", f + `6:18: credentials[0].limits.rate: want a rate as 10/s, 100/min, 1000/h or unlimited, found "5/d"`},
		{"rate of nothing", "limits: {rate: 0/s}", f + `6:18: credentials[0].limits.rate: want a rate as 10/s, 100/min, 1000/h or unlimited, found "0/s"`},
		{"rate without a unit", "limits: {rate: 100}", f + `6:18: credentials[0].limits.rate: want a rate as 10/s, 100/min, 1000/h or unlimited, found "100"`},
		{"rate misspelt", "limits: {rate: unlimted}", f + `6:18: credentials[0].limits.rate: want a rate as 10/s, 100/min, 1000/h or unlimited, found "unlimted" (did you mean "unlimited"?)`},
		{"rate as a list", "limits: {rate: []}", f + `6:18: credentials[0].limits.rate: want a rate as 10/s, 100/min, 1000/h or unlimited, found a list`},
		{"rate too high", "limits: {rate: 1000000001/s}", f + `6:18: credentials[0].limits.rate: is more than any server answers, write unlimited`},
		{"rate beyond numbers", "limits: {rate: 99999999999999999999/s}", f + `6:18: credentials[0].limits.rate: is more than any server answers, write unlimited`},
		{"no concurrency", "limits: {concurrency: 0}", f + `6:25: credentials[0].limits.concurrency: must not be 0, write unlimited for no limit`},
		{"too much at once", "limits: {concurrency: 100001}", f + `6:25: credentials[0].limits.concurrency: must be between 0 and 100000`},
		{"body in MiB", "limits: {body: 32MiB}", f + `6:18: credentials[0].limits.body: want a size as 512m, 2g, 1048576 or unlimited, found "32MiB"`},
		{"no body", "limits: {body: 0}", f + `6:18: credentials[0].limits.body: must not be 0, write unlimited for no limit`},
		{"budget as a number", "limits: {budget: 5}", f + `6:20: credentials[0].limits.budget: want keys and values, found 5`},
		{"no budget", "limits: {budget: {requests: 0}}", f + `6:31: credentials[0].limits.budget.requests: must not be 0, write unlimited for no limit`},
		{"budget without end", "limits: {budget: {requests: 1000000000001}}", f + `6:31: credentials[0].limits.budget.requests: must be between 0 and 1000000000000`},

		{"sets as a list", "sets: [A=hunter2]", f + `6:9: credentials[0].sets: want keys and values, found a list`},
		{"sets no variable", "sets: {a-b: c}", f + `6:10: credentials[0].sets.a-b: is not the name of a variable`},
		{"sets a variable without end", "sets: {" + strings.Repeat("a", 201) + ": c}", f + `6:10: credentials[0].sets.` + strings.Repeat("a", 201) + `: is not the name of a variable`},
		{"sets PATH", "sets: {PATH: /x}", f + `6:10: credentials[0].sets.PATH: changes which programs run or how, and is not for a credential to set`},
		{"sets the loader", "sets: {LD_PRELOAD: /x}", f + `6:10: credentials[0].sets.LD_PRELOAD: changes which programs run or how, and is not for a credential to set`},
		{"sets git's configuration", "sets: {GIT_CONFIG_KEY_0: core.sshCommand}", f + `6:10: credentials[0].sets.GIT_CONFIG_KEY_0: changes which programs run or how, and is not for a credential to set`},
		{"sets a number", "sets: {A: 12345678}", f + `6:13: credentials[0].sets.A: want text (in quotes)`},
		{"sets lines", `sets: {A: "a\nb"}`, f + `6:13: credentials[0].sets.A: want a value on one line`},
		{"sets without end", "sets: {A: " + long + "}", f + `6:13: credentials[0].sets.A: is too long for a variable`},
		{"sets a key", "sets: {A: sk-ant-api03-Zm9vYmFyYmF6cXV4}", f + `6:13: credentials[0].sets.A: looks like a credential, which must never be in the container; write a stand-in with placeholder in it`},
		{"sets a random text", "sets: {A: Bearer aB3dE6gH9jK2mN5pQ8sT}", f + `6:13: credentials[0].sets.A: looks like a credential, which must never be in the container; write a stand-in with placeholder in it`},
		{"sets another placeholder", "sets: {A: 'http://{host}:{port}'}", f + `6:13: credentials[0].sets.A: knows no other placeholder than {port}`},
		{"sets half a placeholder", "sets: {A: '{port'}", f + `6:13: credentials[0].sets.A: knows no other placeholder than {port}`},
		{"sets a key for a variable", "sets: {sk-ant-api03-Zm9vYmFyYmF6cXV4: a}", f + `6:10: credentials[0].sets: a key of the file ` + noPlace},
	} {
		t.Run(row.name, func(t *testing.T) {
			refuses(t, credentialFile(strings.Split(row.line, "\n  ")...), row.want)
		})
	}
}

func refuses(t *testing.T, file, want string) {
	t.Helper()
	p, err := Decode("tightship.yaml", []byte(file))
	if err == nil {
		t.Fatalf("decoded to %+v, want %s", p.Credentials, want)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, value := range []string{"hunter2", "Zm9v", "aB3d", "ghp_", "AKIA", "12345678", "123456", "BEGIN"} {
		if strings.Contains(err.Error(), value) {
			t.Errorf("the error repeats %s", value)
		}
	}
}

func TestDecodeCredentialNeeds(t *testing.T) {
	refuses(t, "credentials: [{}]", `tightship.yaml:1:15: credentials[0]: needs name
tightship.yaml:1:15: credentials[0]: needs from
tightship.yaml:1:15: credentials[0]: needs route
tightship.yaml:1:15: credentials[0]: needs attach`)
	refuses(t, "credentials: {}", "tightship.yaml:1:14: credentials: want a list, found keys and values")
	refuses(t, "credentials: [hunter]", `tightship.yaml:1:15: credentials[0]: want keys and values, found the text "hunter"`)
}

// What credentials may not share.
func TestDecodeCredentialsApart(t *testing.T) {
	for _, row := range []struct{ name, file, want string }{
		{"a name", two("a", "/b", "allow: []", "allow: []"), "tightship.yaml:7:3: credentials[1].name: a credential above has this name too"},
		{"a path", two("b", "/a", "allow: []", "allow: []"), `tightship.yaml:9:11: credentials[1].route.listen: lies in /a, where "a" listens already`},
		{"a path above", two("b", "/a/b/c", "allow: []", "allow: []"), `tightship.yaml:9:11: credentials[1].route.listen: lies in /a, where "a" listens already`},
		{"a path below", two("b", "/x", "route: {listen: /x/y, upstream: 'https://a'}", "allow: []"), `tightship.yaml:4:11: credentials[0].route.listen: lies in /x, where "b" listens already`},
		{"every path", two("b", "/", "allow: []", "allow: []"), `tightship.yaml:9:11: credentials[1].route.listen: / takes every request, so it can only be where one credential is all`},
		{"a variable", two("b", "/b", "sets: {X: a}", "sets: {X: b}"), `tightship.yaml:11:10: credentials[1].sets.X: is set to something else by "a"`},
	} {
		t.Run(row.name, func(t *testing.T) { refuses(t, row.file, row.want) })
	}
}

// A key that was put anywhere in the file does not end in a build's log.
func TestErrorsRepeatNoKey(t *testing.T) {
	const key = "sk-ant-api03-Zm9vYmFyYmF6cXV4"
	for _, file := range []string{
		key, key + ": a", "rootfs: " + key, "image: '" + key + " '", "limits: {memory: " + key + "}", "limits: " + key, "limits: {" + key + ": 1, " + key + ": 2}",
		"accept: [{check: '" + key + "', reason: a, until: x}]", "image: &" + key + " a", "image: !" + key + " a", "image: *" + key, "[*" + key + "]",
		credentialFile("name: " + key), credentialFile("from: *" + key), credentialFile("from: " + key), credentialFile("route: " + key),
		credentialFile("attach: " + key), credentialFile("attach: {" + key + ": }"), credentialFile("attach: {header: " + key + "}"),
		credentialFile("allow: [{methods: [" + key + "], paths: [" + key + "]}]"), credentialFile("git: {repositories: ['" + key + ".git', '/" + key + "'], push: [" + key + "]}"),
		credentialFile("limits: {rate: " + key + ", body: " + key + ", concurrency: " + key + "}"), credentialFile("sets: " + key), credentialFile("sets: [" + key + "]"),
		credentialFile("sets: {A: " + key + "}"), credentialFile("sets: {" + key + ": 1}"), credentialFile("sets: {A=" + key + ": 1}"), credentialFile("sets: {A: " + key + ", A: " + key + "}"),
		credentialFile("route: {listen: " + key + ", upstream: " + key + ", ca: '~" + key + "', networks: [" + key + "]}"),
	} {
		_, err := Decode("f", []byte(file))
		if err == nil {
			t.Errorf("decoded: %s", file)
		} else if strings.Contains(err.Error(), "Zm9v") {
			t.Errorf("the key is repeated: %v", err)
		}
	}
}
