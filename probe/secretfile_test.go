package probe

import (
	"strings"
	"testing"
)

// Values are made up and in pieces, so that no scanner takes this file for a leak.
func fakePEM(kind string) string {
	return "-----BEGIN " + kind + "PRIV" + "ATE KEY-----\nbm90LWEta2V5LW5vdC1hLWtleQ==\n-----END " + kind + "PRIV" + "ATE KEY-----\n"
}

func TestInspectFile(t *testing.T) {
	jwt := "ey" + "JhbGciOiJub25lIn0.ey" + "JzdWIiOiJub2JvZHkifQ.x"
	rows := []struct {
		name, path, content string
		known               bool
		kind                string
		want                string // kind of the only finding, "" for none
	}{
		{"an OpenSSH key anywhere", "/app/x", fakePEM("OPENSSH "), false, "", "private key"},
		{"a PKCS8 key", "/etc/x.pem", "text before\n" + fakePEM(""), false, "", "private key"},
		{"an encrypted PEM key", "/x", strings.Replace(fakePEM("RSA "), "\nbm90", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nbm90", 1), false, "", "private key"},
		{"a PuTTY key", "/x", "PuTTY-User-Key-File-3: ssh-ed25519\n", false, "", "PuTTY private key"},
		{"an age key", "/x", "AGE-SECRET-" + "KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQ\n", false, "", "age private key"},
		{"a head line in a program", "/app/x.py", `if "-----BEGIN RSA PRIV` + `ATE KEY-----" in text:`, false, "", ""},
		{"a certificate", "/etc/x.pem", "-----BEGIN CERTIFICATE-----\nbm90LWEta2V5LW5vdC1hLWtleQ==\n", false, "", ""},
		{"a GitHub token anywhere", "/etc/x", "token gh" + "p_0123456789abcdefghijABCDEFGHIJ012345", false, "", "GitHub token"},
		{"a name that begins like a key", "/app/x.css", ".sk-folding-cube-with-a-long-name {}", false, "", ""},
		{"a JWT where anything may be", "/app/doc.md", jwt, false, "", ""},
		{"a JWT in a known place", "/h/.x", jwt, true, "", "JSON Web Token"},
		{"a URL in a text", "/etc/doc", "https://user:password@example.org/", false, "", ""},
		{"nsswitch.conf, mounted", "/etc/nsswitch.conf", "passwd:         files systemd\nshadow:         files\n", true, "", ""},
		{"the same lines elsewhere", "/etc/x.conf", "passwd:         files systemd\n", true, "", "under the key passwd"},
		{"netrc", "/h/.netrc", "machine a login b password hunter2\n", true, "", "under the key password"},
		{"npmrc", "/h/.npmrc", "//registry.npmjs.org/:_auth" + "Token=not-a-token\n", true, "", "under the key _authToken"},
		{"npmrc that asks the environment", "/h/.npmrc", "//registry.npmjs.org/:_auth" + "Token=${NPM_TOKEN}\nsave-exact=true\n", true, "", ""},
		{"pypirc", "/h/.pypirc", "[pypi]\nusername = __token__\npassword = hunter2\n", true, "", "under the key password"},
		{"docker", "/h/.docker/config.json", `{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6aHVudGVyMg=="}}}`, true, "", "under the key auth"},
		{"docker with a helper", "/h/.docker/config.json", `{"credsStore":"desktop","auths":{"ghcr.io":{}}}`, true, "", ""},
		{"aws", "/h/.aws/credentials", "[default]\naws_secret_access_key = hunter2hunter2\n", true, "", "under the key aws_secret_access_key"},
		{"aws without", "/h/.aws/config", "[default]\nregion = eu-west-1\noutput = json\n", true, "", ""},
		{"gh", "/h/.config/gh/hosts.yml", "github.com:\n    oauth_" + "token: hunter2hunter2\n", true, "", "under the key oauth_token"},
		{"kube", "/h/.kube/config", "users:\n- name: a\n  user:\n    client-key-" + "data: aHVudGVyMg==\n", true, "", "under the key client-key-data"},
		{"claude", "/h/.claude/.credentials.json", `{"claudeAiOauth":{"accessToken":"hunter2hunter2","scopes":[]}}`, true, "", "under the key accessToken"},
		{"a header in git", "/w/.git/config", "[http]\n\textraheader = AUTHORIZATION: basic aHVudGVyMg==\n", false, "", "under the key AUTHORIZATION"},
		{"a password in a remote", "/w/.git/config", "[remote \"o\"]\n\turl = https://me:" + "hunter2@git.example/x\n", false, "", "password in a URL"},
		{"a remote", "/w/.git/config", "[remote \"o\"]\n\turl = git@github.com:a/b.git\n[core]\n\taskPass = /bin/false\n", false, "", ""},
		{"a helper that says it", "/etc/gitconfig", "[credential]\n\thelper = \"!f() { echo password=hunter2; }; f\"\n", true, "", "under the key password"},
		{"pgpass", "/h/.pgpass", "# host:port:db:user:password\ndb:5432:*:me:hunter2\n", true, "", "password"},
		{".env", "/w/.env", "# a\nexport DB_PASSWORD='hunter2'\nPORT=80\n", false, "", "named like a credential"},
		{".env of references", "/w/.env", "DB_PASSWORD=$SECRET\nTOKEN=\n", false, "", ""},
		{"an example of one", "/w/.env.example", "DB_PASSWORD=hunter2\n", false, "", ""},
		{"a place that decides", "/run/secrets/db", "x", false, "mounted as a secret", "mounted as a secret"},
		{"an empty one", "/run/secrets/db", "", false, "mounted as a secret", ""},
		{"known hosts", "/h/.ssh/known_hosts", "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n", true, "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			found := InspectFile([]byte("k"), row.path, row.known, row.kind, row.content)
			if row.want == "" {
				if len(found) > 0 {
					t.Errorf("found %+v", found)
				}
				return
			}
			if len(found) != 1 || found[0].Kind != row.want || found[0].Length == 0 || len(found[0].Hash) != 8 {
				t.Errorf("found %+v, want one %s", found, row.want)
			}
		})
	}
}

// Two keys of one kind are told apart.
func TestKeysDiffer(t *testing.T) {
	one, two := fakePEM("OPENSSH "), strings.Replace(fakePEM("OPENSSH "), "LWtleQ==", "LXRvbw==", 1)
	a, b := InspectContent([]byte("k"), one), InspectContent([]byte("k"), two)
	if len(a) != 1 || len(b) != 1 || a[0].Hash == b[0].Hash {
		t.Errorf("%+v and %+v", a, b)
	}
}

// Whatever a file holds, nothing of it but a key's name leaves, and that only in
// a known place.
func FuzzInspectFile(f *testing.F) {
	f.Add("/h/.npmrc", true, "", "//r/:_auth"+"Token=abcdef")
	f.Add("/w/.env", false, "", "A=b\nexport TOKEN=x")
	f.Add("/w/.git/config", false, "", "\turl = https://a:b@c/")
	f.Add("/x", false, "secret", fakePEM("RSA "))
	f.Fuzz(func(t *testing.T, path string, known bool, kind, content string) {
		for _, found := range InspectFile([]byte("k"), path, known, kind, content) {
			if found.Kind == "" || found.Length == 0 || found.Length > len(content) || len(found.Hash) != 8 {
				t.Errorf("%+v", found)
			}
		}
	})
}
