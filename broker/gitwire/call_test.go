package gitwire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	uploadType  = "application/x-git-upload-pack-request"
	receiveType = "application/x-git-receive-pack-request"
)

func TestClassify(t *testing.T) {
	for _, row := range []struct {
		method, path, query, contentType string
		want                             Call
	}{
		{"GET", "/acme/widget.git/info/refs", "service=git-upload-pack", "", Call{"acme/widget", UploadPack, true}},
		{"GET", "/acme/widget/info/refs", "service=git-receive-pack", "", Call{"acme/widget", ReceivePack, true}},
		{"POST", "/acme/widget.git/git-upload-pack", "", uploadType, Call{"acme/widget", UploadPack, false}},
		{"POST", "/a/b/c/d.wiki.git/git-receive-pack", "", receiveType, Call{"a/b/c/d.wiki", ReceivePack, false}},
		{"GET", "/~me/w-_.~+1/info/refs", "service=git-upload-pack", "", Call{"~me/w-_.~+1", UploadPack, true}},
		{"GET", "/acme/info/info/refs", "service=git-upload-pack", "", Call{"acme/info", UploadPack, true}},
	} {
		got, err := Classify(row.method, row.path, row.query, row.contentType)
		if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
			t.Errorf("%s %s?%s: %v\n%s", row.method, row.path, row.query, err, diff)
		}
	}
}

func TestClassifyRefuses(t *testing.T) {
	const up = "service=git-upload-pack"
	for name, row := range map[string]struct{ method, path, query, contentType, why string }{
		"dumb: no service":           {"GET", "/a/b/info/refs", "", "", "dumb"},
		"dumb: HEAD":                 {"GET", "/a/b/HEAD", "", "", "dumb"},
		"dumb: an object":            {"GET", "/a/b/objects/aa/bb", "", "", "dumb"},
		"dumb: packs":                {"GET", "/a/b/objects/info/packs", "", "", "dumb"},
		"another service":            {"GET", "/a/b/info/refs", "service=git-upload-archive", "", "in this spelling"},
		"a second key":               {"GET", "/a/b/info/refs", up + "&x=1", "", "nothing else"},
		"the key twice":              {"GET", "/a/b/info/refs", up + "&service=git-receive-pack", "", "nothing else"},
		"an encoded service":         {"GET", "/a/b/info/refs", "service=git%2dupload-pack", "", "in this spelling"},
		"a semicolon":                {"GET", "/a/b/info/refs", up + ";service=git-receive-pack", "", "nothing else"},
		"upper case":                 {"GET", "/a/b/info/refs", "SERVICE=git-upload-pack", "", "in this spelling"},
		"method HEAD":                {"HEAD", "/a/b/info/refs", up, "", "GET and POST"},
		"method put":                 {"PUT", "/a/b/git-receive-pack", "", receiveType, "GET and POST"},
		"method get":                 {"get", "/a/b/info/refs", up, "", "GET and POST"},
		"POST to info/refs":          {"POST", "/a/b/info/refs", "", receiveType, "git-receive-pack only"},
		"GET of git-receive-pack":    {"GET", "/a/b/git-receive-pack", "", "", "dumb"},
		"POST with a query":          {"POST", "/a/b/git-upload-pack", up, uploadType, "no query"},
		"POST of another type":       {"POST", "/a/b/git-receive-pack", "", uploadType, "Content-Type"},
		"POST with a parameter":      {"POST", "/a/b/git-receive-pack", "", receiveType + "; charset=utf-8", "Content-Type"},
		"POST without a type":        {"POST", "/a/b/git-receive-pack", "", "", "Content-Type"},
		"LFS batch":                  {"POST", "/a/b.git/info/lfs/objects/batch", "", "application/vnd.git-lfs+json", "LFS is not supported"},
		"LFS locks":                  {"GET", "/a/b/info/lfs/locks", "", "", "LFS is not supported"},
		"LFS as a part of a name":    {"GET", "/a/b.git/info/lfs/info/refs", up, "", "LFS is not supported"},
		"no repository":              {"GET", "/info/refs", up, "", "names no repository"},
		"no slash":                   {"GET", "a/b/info/refs", up, "", "names no repository"},
		"POST without repository":    {"POST", "/git-upload-pack", "", uploadType, "names no repository"},
		"POST to a bare name":        {"POST", "git-upload-pack", "", uploadType, "names no repository"},
		"dot dot":                    {"GET", "/a/../b/info/refs", up, "", "begins or ends with a dot"},
		"dot":                        {"GET", "/a/./b/info/refs", up, "", "begins or ends with a dot"},
		"hidden":                     {"GET", "/a/.b/info/refs", up, "", "begins or ends with a dot"},
		"a dot at the end":           {"GET", "/a/b./info/refs", up, "", "begins or ends with a dot"},
		"a dot before .git":          {"GET", "/a/b..git/info/refs", up, "", "begins or ends with a dot"},
		"only .git":                  {"GET", "/a/.git/info/refs", up, "", "is empty"},
		".git of a work tree":        {"GET", "/a/b/.git/info/refs", up, "", "is empty"},
		".git twice":                 {"GET", "/a/b.git.git/info/refs", up, "", ".git in another place"},
		".git in the middle":         {"GET", "/a.git/b/info/refs", up, "", ".git in another place"},
		".GIT":                       {"GET", "/a/b.GIT/info/refs", up, "", ".git in another place"},
		"an empty part":              {"GET", "/a//b/info/refs", up, "", "is empty"},
		"two slashes first":          {"GET", "//a/b/info/refs", up, "", "is empty"},
		"two slashes last":           {"GET", "/a/b//info/refs", up, "", "is empty"},
		"two slashes last, POST":     {"POST", "/a/b//git-upload-pack", "", uploadType, "is empty"},
		"an encoded slash":           {"GET", "/a%2fb/info/refs", up, "", "percent-encoded"},
		"an encoded dot":             {"GET", "/a/%2e%2e/b/info/refs", up, "", "percent-encoded"},
		"an encoded letter":          {"GET", "/a/%62/info/refs", up, "", "percent-encoded"},
		"an encoded NUL":             {"GET", "/a/b%00/info/refs", up, "", "percent-encoded"},
		"an encoded end":             {"GET", "/a/b/info%2Frefs", up, "", "dumb"},
		"a control byte":             {"GET", "/a/b\x01/info/refs", up, "", "letters, digits"},
		"a line feed":                {"GET", "/a/b\n/info/refs", up, "", "letters, digits"},
		"a backslash":                {"GET", "/a\\b/info/refs", up, "", "letters, digits"},
		"a space":                    {"GET", "/a/b c/info/refs", up, "", "letters, digits"},
		"a colon":                    {"GET", "/a:b/info/refs", up, "", "letters, digits"},
		"a path parameter":           {"GET", "/a/b;x/info/refs", up, "", "letters, digits"},
		"not ASCII":                  {"GET", "/a/ü/info/refs", up, "", "letters, digits"},
		"not UTF-8":                  {"GET", "/a/\xff/info/refs", up, "", "letters, digits"},
		"too long":                   {"GET", "/" + strings.Repeat("a", 513) + "/info/refs", up, "", "512 bytes"},
		"a whole URL":                {"GET", "https://other/a/b/info/refs", up, "", "names no repository"},
		"a slash behind":             {"GET", "/a/b/info/refs/", up, "", "dumb"},
		"a slash behind, POST":       {"POST", "/a/b/git-upload-pack/", "", uploadType, "only"},
		"a service in another case":  {"POST", "/a/b/Git-Upload-Pack", "", uploadType, "only"},
		"a fragment":                 {"GET", "/a/b/info/refs", up + "#", "", "nothing else"},
		"upload-archive":             {"POST", "/a/b/git-upload-archive", "", uploadType, "only"},
		"info/refs in another place": {"GET", "/a/b/info/refs/x", up, "", "dumb"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Classify(row.method, row.path, row.query, row.contentType)
			if !errors.Is(err, ErrCall) || c != (Call{}) || !strings.Contains(err.Error(), row.why) {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func TestProtocol(t *testing.T) {
	for _, row := range []struct {
		values []string
		want   int
		ok     bool
	}{
		{nil, 0, true}, {[]string{"version=0"}, 0, true}, {[]string{"version=1"}, 1, true}, {[]string{"version=2"}, 2, true},
		{[]string{"version=3"}, 0, false}, {[]string{"version=2", "version=0"}, 0, false}, {[]string{"version=2:version=0"}, 0, false}, {[]string{""}, 0, false},
	} {
		got, err := Protocol(row.values)
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%q: %d, %v", row.values, got, err)
		}
	}
}
