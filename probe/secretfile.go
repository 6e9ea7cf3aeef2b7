package probe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"strings"
)

// Credentials in files are recognised in three ways, from the surest on: by the
// format of what a file contains, whatever its name; by what stands under a key
// that announces a credential, in a file of a program that keeps them there; and
// by the place alone, where nothing else is ever kept.

// blocks are credentials that show by themselves. A key's head line is not
// enough: programs and their documentation are full of those.
var blocks = []format{
	{"private key", regexp.MustCompile(`(?m)^-----BEGIN ([A-Z]+ ){0,2}PRIVATE KEY-----\s+([A-Za-z-]+: [^\n]*\n)*\s*[A-Za-z0-9+/=\s]{16,}`), []string{"PRIVATE KEY-----"}},
	{"PGP private key", regexp.MustCompile(`(?m)^-----BEGIN PGP PRIVATE KEY BLOCK-----\s`), []string{"PGP PRIVATE KEY"}},
	{"PuTTY private key", regexp.MustCompile(`(?m)^PuTTY-User-Key-File-\d+: `), []string{"PuTTY-User-Key-File"}},
	{"age private key", regexp.MustCompile(`\bAGE-SECRET-KEY-1[0-9A-Z]{20,}`), []string{"AGE-SECRET-KEY-1"}},
}

// keyed match a value under a key: in JSON, in lines of the kinds that
// configuration files and shells use, in netrc, and in an HTTP header.
var keyed = []*regexp.Regexp{
	regexp.MustCompile(`"([\w.:/@-]+)"\s*:\s*"([^"\n]+)"`),
	regexp.MustCompile(`(?m)^[ \t-]*(?:export[ \t]+)?([\w.:/@-]+?)(?:[ \t]*=[ \t]*|:[ \t]+)["']?([^\s"']+)`),
	regexp.MustCompile(`(?m)(?:^|\s)(password)[ =]+([^\s;"'}]+)`),
	regexp.MustCompile(`(?i)\b(authorization):[ \t]*(?:basic|bearer)[ \t]+([^\s"']{4,})`),
}

// secretKey matches the keys that announce a credential, after the last dot,
// colon or slash.
var secretKey = regexp.MustCompile(`(?i)^_?((\w+[_-])?(password|passwd|passphrase|secret|token|authtoken|api_?key|secret_?key|secret_?access_?key|private_?key)|(access|refresh|id|identity|registry|session|oauth|bearer)_?token|auth|authorization|client-key-data|client_?secret)$`)

// InspectKeyed finds what stands under a key that announces a credential, and
// what has the format of one: for files in which programs keep them.
func InspectKeyed(key []byte, content string) []Finding {
	var all []Finding
	for _, re := range keyed {
		for _, m := range re.FindAllStringSubmatch(content, 100) {
			name, value := m[1], m[2]
			if i := strings.LastIndexAny(name, ".:/"); i >= 0 {
				name = name[i+1:]
			}
			if secretKey.MatchString(name) && isValue(value) {
				all = append(all, finding(key, name, "under the key "+name, value))
			}
		}
	}
	for _, f := range formats {
		if f.kind == "private key" {
			continue // a whole one is a block
		}
		if m := f.find(content); m != "" {
			all = append(all, finding(key, "", f.kind, m))
		}
	}
	return append(all, InspectContent(key, content)...)
}

// isValue says whether what stands under a key may be a credential, and not a
// reference to one, a path or a word that says that there is none.
func isValue(v string) bool {
	return len(v) >= 4 && !placeholder.MatchString(v) && !strings.HasPrefix(v, "$") && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "~") &&
		!strings.HasPrefix(v, "{{") && !strings.HasPrefix(v, "%(")
}

// InspectContent finds what has a credential's own format in any file. Formats
// that ordinary text may have by chance are left out here.
func InspectContent(key []byte, content string) []Finding {
	var all []Finding
	for _, b := range blocks {
		if m := b.find(content); m != "" {
			all = append(all, finding(key, "", b.kind, m))
		}
	}
	for _, f := range formats {
		switch f.kind {
		case "private key", "password in a URL", "JSON Web Token":
			continue
		}
		m := f.find(content)
		if m == "" || f.kind == "OpenAI-style API key" && !looksRandom(m) {
			continue // sk- begins many a name
		}
		all = append(all, finding(key, "", f.kind, m))
	}
	return all
}

// InspectEnvFile looks through the assignments of a .env file.
func InspectEnvFile(key []byte, content string) []Finding {
	all := InspectContent(key, content)
	for line := range strings.Lines(content) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		if !ok || strings.HasPrefix(name, "#") || strings.HasPrefix(value, "$") {
			continue
		}
		if f, bad := InspectVariable(key, strings.TrimSpace(name), value); bad {
			all = append(all, f)
		}
	}
	return all
}

func finding(key []byte, name, kind, value string) Finding {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return Finding{Name: name, Kind: kind, Length: len(value), Hash: hex.EncodeToString(mac.Sum(nil))[:8]}
}

// keepers are the files in which programs keep credentials, below a home
// directory; a name that ends in / is a directory whose files are all meant. A
// kind says that the place alone decides.
var keepers = []struct{ path, kind string }{
	{".ssh/", ""}, {".netrc", ""}, {"_netrc", ""}, {".git-credentials", ""}, {".gitconfig", ""}, {".config/git/config", ""}, {".config/git/credentials", ""},
	{".aws/credentials", ""}, {".aws/config", ""}, {".aws/sso/cache/", ""}, {".aws/cli/cache/", ""},
	{".azure/msal_token_cache.json", ""}, {".azure/accessTokens.json", ""}, {".azure/service_principal_entries.json", ""},
	{".config/gcloud/application_default_credentials.json", ""}, {".config/gcloud/credentials.db", "gcloud's store"}, {".config/gcloud/access_tokens.db", "gcloud's store"},
	{".boto", ""}, {".s3cfg", ""}, {".kube/config", ""}, {".docker/config.json", ""}, {".config/containers/auth.json", ""},
	{".npmrc", ""}, {".yarnrc.yml", ""}, {".pypirc", ""}, {".pip/pip.conf", ""}, {".config/pip/pip.conf", ""},
	{".cargo/credentials", ""}, {".cargo/credentials.toml", ""}, {".gem/credentials", ""}, {".m2/settings.xml", ""}, {".gradle/gradle.properties", ""},
	{".config/gh/hosts.yml", ""}, {".config/hub", ""}, {".config/glab-cli/config.yml", ""},
	{".claude/.credentials.json", ""}, {".claude.json", ""}, {".codex/auth.json", ""}, {".gemini/oauth_creds.json", ""},
	{".cache/huggingface/token", "token file"}, {".huggingface/token", "token file"}, {".vault-token", "token file"},
	{".terraform.d/credentials.tfrc.json", ""}, {".pgpass", ""}, {".my.cnf", ""}, {".gnupg/private-keys-v1.d/", "GnuPG private key"}, {".config/sops/age/keys.txt", ""},
}

// InspectFile finds credentials in one file. known says that programs keep them
// in files of that name, kind that nothing else is kept there.
func InspectFile(key []byte, name string, known bool, kind, content string) []Finding {
	base := path.Base(name)
	var all []Finding
	switch {
	case content == "":
		return nil
	case kind != "":
		return []Finding{finding(key, "", kind, content)}
	case base == ".pgpass":
		for line := range strings.Lines(content) {
			if f := strings.SplitN(strings.TrimSpace(line), ":", 5); len(f) == 5 && !strings.HasPrefix(line, "#") && f[4] != "" {
				all = append(all, finding(key, "", "password", f[4]))
			}
		}
	case envFile(base):
		all = InspectEnvFile(key, content)
	case base == "nsswitch.conf":
		all = InspectContent(key, content) // what it has under passwd are names of databases
	case known, base == "config" && path.Base(path.Dir(name)) == ".git":
		all = InspectKeyed(key, content)
	default:
		all = InspectContent(key, content)
	}
	// The same value may be recognised in several ways: the first name is enough.
	seen := map[string]bool{}
	var out []Finding
	for _, f := range all {
		if !seen[f.Hash] {
			seen[f.Hash] = true
			out = append(out, f)
		}
	}
	return out
}

// envFile says whether a file's name is that of one with settings for the
// environment, and not of an example of one.
func envFile(base string) bool {
	if base != ".env" && !strings.HasPrefix(base, ".env.") {
		return false
	}
	for _, s := range []string{".example", ".sample", ".template", ".dist", ".defaults"} {
		if strings.HasSuffix(base, s) {
			return false
		}
	}
	return true
}
