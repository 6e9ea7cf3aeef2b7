package policy

import (
	"net/netip"
	"slices"
)

// reserved is what is not the public internet, from the IANA registries of
// special-purpose addresses (RFC 6890). Of IPv6 only 2000::/3 is given out, so
// that the rest (unique local, link-local, multicast, …) needs no entries.
var reserved = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private (RFC 1918)
	"100.64.0.0/10",    // behind carriers' NAT (RFC 6598)
	"127.0.0.0/8",      // loopback
	"169.254.0.0/16",   // link-local, and metadata
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.31.196.0/24",  // AS112
	"192.52.193.0/24",  // AMT
	"192.88.99.0/24",   // 6to4 relays, gone
	"192.168.0.0/16",   // private
	"192.175.48.0/24",  // AS112
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/3",      // multicast, reserved, broadcast
	"2001::/23",        // protocol assignments, Teredo
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4, which holds any IPv4 address
	"3fff::/20",        // documentation
	"168.63.129.16/32", // public by its number; a host's own service to Azure's machines
)

var (
	givenOut = netip.MustParsePrefix("2000::/3")
	// nat64 holds an IPv4 address in its last four bytes (RFC 6052).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// metadata is where clouds hand out credentials to whoever asks from the
// machine. No network may be listed that lets a request through to them.
var metadata = addresses(
	"169.254.169.254", // most clouds
	"169.254.170.2",   // AWS ECS
	"169.254.170.23",  // AWS EKS
	"fd00:ec2::254",   // AWS
	"fd00:ec2::23",    // AWS EKS
	"fd20:ce::254",    // Google
	"100.100.100.200", // Alibaba
	"192.0.0.192",     // Oracle
	"168.63.129.16",   // Azure
)

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, s := range list {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

func addresses(list ...string) []netip.Addr {
	all := make([]netip.Addr, len(list))
	for i, s := range list {
		all[i] = netip.MustParseAddr(s)
	}
	return all
}

// Permits reports whether the route's upstream may be reached at an address: a
// public one, or one in Networks, and never one where a cloud hands out
// credentials. Ask it of the address that is dialled, after the name was
// resolved, since a name can be made to resolve to anything.
func (r Route) Permits(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case !a.IsValid() || slices.Contains(metadata, a):
		return false
	case slices.ContainsFunc(r.Networks, func(s string) bool {
		n, err := netip.ParsePrefix(s)
		return err == nil && n.Contains(a)
	}):
		return true
	}
	return (a.Is4() || givenOut.Contains(a)) &&
		!slices.ContainsFunc(reserved, func(n netip.Prefix) bool { return n.Contains(a) })
}

// network wants a range in CIDR form that leads to no metadata service.
func network(s string) (string, string) {
	n, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return "want a range with its length, found " + quoted(s), netip.PrefixFrom(a, a.BitLen()).String()
		}
		return "want a range as 10.1.0.0/16 or fd12::/48, found " + quoted(s), ""
	case n.Addr().Is4In6():
		return "want an IPv4 range in its own form, found " + quoted(s), ""
	case n.Masked() != n:
		return "has bits set behind its length, found " + quoted(s), n.Masked().String()
	}
	for _, m := range metadata {
		if n.Contains(m) {
			return "holds " + m.String() + ", where a cloud hands out credentials to whoever asks; list a smaller range", ""
		}
	}
	return "", ""
}
