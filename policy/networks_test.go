package policy

import (
	"net/netip"
	"testing"
)

func TestPermits(t *testing.T) {
	for _, row := range []struct {
		name, address string
		networks      []string
		want          bool
	}{
		{"public", "93.184.216.34", nil, true},
		{"public in IPv6", "2606:4700::1111", nil, true},
		{"public in the other's form", "::ffff:93.184.216.34", nil, true},
		{"public through NAT64", "64:ff9b::5db8:d822", nil, true},
		{"unspecified", "0.0.0.0", nil, false},
		{"unspecified in IPv6", "::", nil, false},
		{"loopback", "127.0.0.1", nil, false},
		{"the far end of loopback", "127.255.255.254", nil, false},
		{"loopback in IPv6", "::1", nil, false},
		{"loopback in the other's form", "::ffff:127.0.0.1", nil, false},
		{"loopback through NAT64", "64:ff9b::7f00:1", nil, false},
		{"loopback in the old form", "::127.0.0.1", nil, false},
		{"private 10", "10.255.255.255", nil, false},
		{"private 172", "172.31.255.255", nil, false},
		{"beside private 172", "172.32.0.0", nil, true},
		{"private 192", "192.168.0.1", nil, false},
		{"carriers' NAT", "100.127.255.255", nil, false},
		{"beside carriers' NAT", "100.128.0.0", nil, true},
		{"link-local", "169.254.0.1", nil, false},
		{"link-local in IPv6", "fe80::1", nil, false},
		{"link-local with a zone", "fe80::1%eth0", []string{"fe80::/10"}, true},
		{"unique local", "fd00::1", nil, false},
		{"site-local", "fec0::1", nil, false},
		{"documentation", "192.0.2.1", nil, false},
		{"documentation 2", "198.51.100.1", nil, false},
		{"documentation 3", "203.0.113.1", nil, false},
		{"documentation in IPv6", "2001:db8::1", nil, false},
		{"documentation in IPv6, new", "3fff::1", nil, false},
		{"benchmarks", "198.19.255.255", nil, false},
		{"assignments", "192.0.0.1", nil, false},
		{"multicast", "224.0.0.1", nil, false},
		{"reserved", "240.0.0.1", nil, false},
		{"broadcast", "255.255.255.255", nil, false},
		{"multicast in IPv6", "ff02::1", nil, false},
		{"Teredo", "2001::1", nil, false},
		{"6to4", "2002:7f00:1::", nil, false},
		{"local NAT64", "64:ff9b:1::1", nil, false},
		{"metadata", "169.254.169.254", nil, false},
		{"metadata with a public number", "168.63.129.16", nil, false},
		{"no address", "", nil, false},

		{"listed", "10.1.2.3", []string{"192.168.0.0/16", "10.1.0.0/16"}, true},
		{"listed and in the other's form", "::ffff:10.1.2.3", []string{"10.1.0.0/16"}, true},
		{"listed in IPv6", "fd12::3", []string{"fd12::/48"}, true},
		{"listed as one", "127.0.0.1", []string{"127.0.0.1/32"}, true},
		{"beside what is listed", "10.2.0.0", []string{"10.1.0.0/16"}, false},
		{"public although something is listed", "93.184.216.34", []string{"10.1.0.0/16"}, true},
		{"metadata although listed", "169.254.169.254", []string{"169.254.0.0/16"}, false},
		{"metadata through NAT64 although listed", "64:ff9b::a9fe:a9fe", []string{"64:ff9b::/96"}, false},
		{"metadata of AWS although listed", "fd00:ec2::254", []string{"fd00::/8"}, false},
		{"listed as nonsense", "10.1.2.3", []string{"10"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var a netip.Addr
			if row.address != "" {
				a = netip.MustParseAddr(row.address)
			}
			if got := (Route{Networks: row.networks}).Permits(a); got != row.want {
				t.Errorf("%s is %v", row.address, got)
			}
		})
	}
}

// No entry of the tables is there for nothing.
func TestReservedAndMetadata(t *testing.T) {
	for _, n := range reserved {
		if n != n.Masked() || !n.Addr().Is4() && !givenOut.Contains(n.Addr()) {
			t.Errorf("%v has bits behind its length, or is refused anyway", n)
		}
		if (Route{}).Permits(n.Addr()) {
			t.Errorf("%v is let through", n)
		}
	}
	for _, a := range metadata {
		one := netip.PrefixFrom(a, a.BitLen()).String()
		if problem, _ := network(one); problem == "" {
			t.Errorf("%s can be listed", one)
		}
		if (Route{Networks: []string{one}}).Permits(a) {
			t.Errorf("%v is let through", a)
		}
	}
}
