package verify

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/internal/canary"
	"github.com/tightship-dev/tightship/probe"
)

// What must not be found or reached from inside is planted on this side first:
// a variable in our own environment, a file below our home, and listeners on the
// host's own addresses.

// controlKey has a private key's format and is none. The guests must find it in
// a home of ours, or their search would mean nothing.
const controlKey = "-----BEGIN OPENSSH PRIV" + "ATE KEY-----\nbm90LWEta2V5LW5vdC1hLWtleS1ub3QtYS1rZXk=\n-----END OPENSSH PRIV" + "ATE KEY-----\n"

// plant makes the canaries of this run.
func (r *run) plant() error {
	variable, err := canary.Environment()
	if err != nil {
		return fmt.Errorf("cannot plant a canary in the environment: %w", err)
	}
	r.canary = &probe.Canary{Variable: variable, File: r.lock.token, Paths: []string{r.lock.f.Name()}}
	if !r.info.Local {
		r.planted.HomeNote = "the engine runs on another host, whose homes are not this user's"
		return nil
	}
	if real, err := filepath.EvalSymlinks(r.lock.f.Name()); err == nil && real != r.lock.f.Name() {
		r.canary.Paths = append(r.canary.Paths, real)
	}
	r.planted.Home = r.canary.Paths
	return nil
}

// listenMost is on how many addresses the verifier listens.
const listenMost = 16

// listen opens the listeners that must not be reached. They are on addresses of
// this very host, and are dialled only from networks that cannot lead elsewhere:
// on a network of another kind even asking for an address sends packets.
func (r *run) listen(ctx context.Context) (stop func()) {
	stop = func() {}
	asked := slices.Contains(r.todo[check.Main][probe.User], "net.host")
	network := r.settings(check.Main).Network
	switch {
	case !asked:
		return stop
	case !r.info.Local:
		r.planted.ListenNote = "the engine runs on another host, where nobody listens for it"
		return stop
	case !slices.Contains([]string{"", "none", "host", "bridge", "default"}, network):
		r.planted.ListenNote = fmt.Sprintf("nothing is dialled from the network %q: a packet might leave this machine", network)
		return stop
	}
	var listeners []net.Listener
	var serving sync.WaitGroup
	for _, a := range ownAddresses() {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", netip.AddrPortFrom(a, 0).String())
		if err != nil {
			continue
		}
		listeners = append(listeners, l)
		serving.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		})
		// The control: from here it is reached.
		if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", l.Addr().String()); err == nil {
			c.Close()
			r.planted.Listeners = append(r.planted.Listeners, l.Addr().String())
		}
	}
	if len(r.planted.Listeners) == 0 {
		r.planted.ListenNote = "no listener on this host could be opened and reached from here"
	}
	return func() {
		for _, l := range listeners {
			l.Close()
		}
		serving.Wait()
	}
}

// ownAddresses are those of this host that others can use, and loopback.
func ownAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var own []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if ip := p.Addr(); err == nil && (ip.IsGlobalUnicast() || ip.IsLoopback()) && len(own) < listenMost {
			own = append(own, ip)
		}
	}
	return own
}

// home is what the guests' own home holds, to be found.
func (r *run) home() []planting {
	return []planting{
		{name: "home/"},
		{name: "home/.ssh/"},
		{name: "home/.ssh/id_control", content: controlKey},
		{name: "home/" + filepath.Base(r.lock.f.Name()), content: r.lock.token + "\n"},
	}
}

// planting is a file in the guest's volume, or with a name that ends in / a
// directory.
type planting struct{ name, content string }
