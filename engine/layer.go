package engine

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/spec"
)

// directory is the directory bit of spec.File.Mode (inode(7)).
const directory = 0o040000

// Layer is the files of an image change as a tar stream. Directories come before
// what lies in them; equal files make an equal stream.
func Layer(files []spec.File) (io.Reader, error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b spec.File) int { return cmp.Compare(a.Path, b.Path) })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if !path.IsAbs(f.Path) || path.Clean(f.Path) == "/" {
			return nil, fmt.Errorf("a file of an image needs an absolute path, not %q", f.Path)
		}
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: strings.TrimPrefix(path.Clean(f.Path), "/"), Mode: int64(f.Mode & 0o7777),
			Uid: f.UID, Gid: f.GID, Size: int64(len(f.Content)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX, PAXRecords: map[string]string{},
		}
		if f.Mode&directory != 0 {
			h.Typeflag, h.Name, h.Size, f.Content = tar.TypeDir, h.Name+"/", 0, nil
		}
		for name, value := range f.Xattrs {
			h.PAXRecords["SCHILY.xattr."+name] = value
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &b, nil
}
