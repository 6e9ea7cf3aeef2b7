package engine

import (
	"archive/tar"
	"io"
	"testing"

	"github.com/tightship-dev/tightship/spec"
)

// Directories come before what is in them, and a name that is no absolute path
// is refused.
func TestLayer(t *testing.T) {
	r, err := Layer([]spec.File{
		{Path: "/a/b", Mode: 0o104755, UID: 1, GID: 2, Content: []byte("x"), Xattrs: map[string]string{"user.k": "v"}},
		{Path: "/a", Mode: 0o40700},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(r)
	dir, err := in.Next()
	if err != nil || dir.Name != "a/" || dir.Typeflag != tar.TypeDir || dir.Mode != 0o700 {
		t.Errorf("%+v, %v", dir, err)
	}
	file, err := in.Next()
	if err != nil || file.Name != "a/b" || file.Mode != 0o4755 || file.Uid != 1 || file.Gid != 2 || file.PAXRecords["SCHILY.xattr.user.k"] != "v" {
		t.Errorf("%+v, %v", file, err)
	}
	if content, err := io.ReadAll(in); string(content) != "x" || err != nil {
		t.Errorf("%q, %v", content, err)
	}
	for _, path := range []string{"", "a", "/", "/a/.."} {
		if _, err := Layer([]spec.File{{Path: path}}); err == nil {
			t.Errorf("%q is not refused", path)
		}
	}
}
