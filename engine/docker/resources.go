package docker

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

// CreateVolume makes an empty volume, or finds the one of that name.
func (e *Engine) CreateVolume(ctx context.Context, name string, labels map[string]string) error {
	if err := checkName(name, errInput); err != nil {
		return err
	}
	return e.do(ctx, "create volume", nil, func(ctx context.Context) error {
		_, err := e.cli.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name, Labels: labels})
		return err
	})
}

// RemoveVolume removes a volume; one that is not there is no error.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	if err := checkName(name, errInput); err != nil {
		return err
	}
	err := e.do(ctx, "remove volume", nil, func(ctx context.Context) error {
		_, err := e.cli.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
		return err
	})
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// List returns the containers, volumes and derived images under our label: the
// order in which they can be removed.
func (e *Engine) List(ctx context.Context, runID string) ([]engine.Resource, error) {
	want := engine.Label
	if runID != "" {
		want += "=" + runID
	}
	filters := client.Filters{}.Add("label", want)
	var out []engine.Resource
	// What is listed gets removed: an engine that ignores the filter must not
	// make us remove what is not ours.
	add := func(kind, id, name string, labels map[string]string) {
		value, ours := labels[engine.Label]
		if ours && (runID == "" || value == runID) {
			out = append(out, engine.Resource{Kind: kind, ID: id, Name: name, RunID: value})
		}
	}
	err := e.do(ctx, "list", nil, func(ctx context.Context) error {
		containers, err := e.cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
		if err != nil {
			return err
		}
		for _, c := range containers.Items {
			if err := checkID(c.ID); err != nil {
				return err
			}
			name := ""
			if len(c.Names) > 0 {
				name = strings.TrimPrefix(c.Names[0], "/")
			}
			add("container", c.ID, name, c.Labels)
		}
		volumes, err := e.cli.VolumeList(ctx, client.VolumeListOptions{Filters: filters})
		if err != nil {
			return err
		}
		for _, v := range volumes.Items {
			add("volume", v.Name, v.Name, v.Labels)
		}
		images, err := e.cli.ImageList(ctx, client.ImageListOptions{All: true, Filters: filters})
		if err != nil {
			return err
		}
		for _, i := range images.Items {
			// An image that somebody built from a derived one has its labels too, and
			// a name.
			if i.Labels[engine.DerivedLabel] != "" && len(named(i.RepoTags)) == 0 {
				add("image", i.ID, i.ID, i.Labels)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// named is an image's names: for none, older engines give a placeholder.
func named(tags []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return t == "<none>:<none>" })
}
