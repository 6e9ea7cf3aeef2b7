package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// networkChecks are the rows about what can be reached. None of them sends a
// packet off the machine.
func networkChecks() []*Check {
	fix := Fix{
		Policy:     "network: none",
		Docker:     "--network none",
		Compose:    "network_mode: none",
		Kubernetes: "a NetworkPolicy that denies all egress",
	}
	return []*Check{
		{
			ID: "net.no-route", Section: NetworkSection,
			Title:    "No way leads out",
			Why:      "An interface that is not listed, or one that comes up later, needs a route to be of use. The metadata service of a cloud hands its credentials to whoever has one.",
			Attempt:  "The user connects a UDP socket to a documentation address, a public one and the metadata service's, IPv4 and IPv6. That asks the routing table and sends no packet.",
			Control:  "The same call to loopback succeeds.",
			Settings: []string{"network"}, Fix: fix, Refs: []string{"MITRE-ATTACK T1041", "MITRE-ATTACK T1552.005"},
			Needs:     need(Main, probe.User, "net.route"),
			Mutations: []string{"network.bridge", "ns.net-host"},
			Judge:     judgeNoRoute,
		},
		{
			ID: "net.host-unreachable", Section: NetworkSection,
			Title:    "The host's own services are out of reach",
			Why:      "What listens on the host trusts whoever is near: databases without a password, debuggers, the engine's own API.",
			Attempt:  "The verifier listens on the host's own addresses, loopback among them, on ports that the kernel chooses, for as long as the containers run. The user connects to each, and sends nothing. No other address is dialled.",
			Control:  "The verifier reaches each listener from the host, and the user a listener of its own inside.",
			Settings: []string{"network"}, Fix: fix, Refs: []string{"CIS-Docker 5.10", "MITRE-ATTACK T1046"},
			Needs:     need(Main, probe.User, "net.host"),
			Mutations: []string{"network.bridge", "ns.net-host"},
			Judge:     judgeHostUnreachable,
		},
		{
			ID: "net.no-dns", Section: NetworkSection,
			Title:    "No resolver is in reach",
			Why:      "A resolver carries data out of a network that has no other way: each name that is asked for is a message to whoever owns the domain.",
			Attempt:  "The user takes the name servers of resolv.conf: for one elsewhere the routing table is asked, as above; to one on loopback, where engines put their own, a TCP connection is made and nothing sent.",
			Control:  "The same calls to loopback, and to a listener of the user's own, succeed.",
			Settings: []string{"network"}, Fix: fix, Refs: []string{"MITRE-ATTACK T1048"},
			Needs:     need(Main, probe.User, "net.dns"),
			Mutations: []string{"network.bridge", "ns.net-host"},
			Judge:     judgeNoDNS,
		},
	}
}

// networkAccount is what the policy and the engine say of the network.
func networkAccount(in *Input) account {
	w, d := in.Policy.Network, in.declared().Network
	return account{
		wanted: "network: " + string(w), wantedIs: answerOf(w == policy.NetworkNone),
		declared: "network " + d, declaredIs: answerOf(d == "none"),
	}
}

// noWay says whether an errno means that the kernel knows no way there: no
// route, no address of one's own to set out from, or no such protocol at all.
func noWay(errno string) bool {
	return slices.Contains([]string{"ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETDOWN"}, errno)
}

// reached splits attempts to get somewhere: those that did, and those of which
// nothing is known.
func reached(all []probe.Attempt, closed func(string) bool) (there, unknown []string) {
	for _, t := range all {
		switch {
		case t.OK:
			there = append(there, t.On)
		case !closed(t.Errno):
			unknown = append(unknown, t.On+" ("+t.Errno+")")
		}
	}
	return there, unknown
}

func notControl(t probe.Attempt) bool { return !t.Control }

func judgeNoRoute(in *Input) Result {
	a := networkAccount(in)
	o, why := in.see(Main, probe.User, "net.route")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, notControl)
	there, unknown := reached(tried, noWay)
	seen := show(o.Attempts...)
	// Without IPv6 the calls for it are refused whatever the routes are.
	own := pick(o, func(t probe.Attempt) bool { return !t.Control && !t.OK && t.Errno != "EAFNOSUPPORT" })
	switch c, ok := control(o, "route to"); {
	case len(there) > 0:
		return a.decide(off, Exercised, seen, "there is a way to "+few(there))
	case !ok || !c.OK:
		return a.decide(silent, NoGrade, seen, "the control failed: there is no way to loopback either")
	case len(unknown) > 0 || len(own) == 0:
		return a.decide(silent, NoGrade, seen, "the routing table did not answer: "+onOff(len(unknown) > 0, few(unknown), "nothing was asked"))
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("no way leads to any of %d addresses", len(tried)))
}

func judgeHostUnreachable(in *Input) Result {
	a := networkAccount(in)
	if in.Planted.ListenNote != "" && a.wantedIs == on && a.declaredIs == on {
		return a.result(NotApplicable, NoGrade, "", in.Planted.ListenNote)
	}
	o, why := in.see(Main, probe.User, "net.host")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, notControl)
	// Nobody listens at that port of the container's own loopback.
	there, unknown := reached(tried, func(errno string) bool { return noWay(errno) || errno == "ECONNREFUSED" })
	seen := show(o.Attempts...)
	for _, l := range in.Planted.Listeners {
		if _, asked := attempt(o, "connect tcp", l); !asked {
			unknown = append(unknown, l+" (not tried)")
		}
	}
	switch c, ok := control(o, "bind, listen, connect to itself"); {
	case len(there) > 0:
		return a.decide(off, Exercised, seen, "the host was reached at "+few(there))
	case !ok || !c.OK:
		return a.decide(silent, NoGrade, seen, "the control failed: a listener inside is not reached either")
	case len(unknown) > 0 || len(tried) == 0:
		return a.decide(silent, NoGrade, seen, "whether the host is in reach did not show: "+onOff(len(unknown) > 0, few(unknown), "nothing was dialled"))
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("none of %s on this host was reached, and each is from the host", plural(len(tried), "listener", "listeners")))
}

func judgeNoDNS(in *Input) Result {
	a := networkAccount(in)
	o, why := in.see(Main, probe.User, "net.dns")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, notControl)
	there, unknown := reached(tried, func(errno string) bool { return noWay(errno) || errno == "ECONNREFUSED" })
	seen := show(o.Attempts...)
	udp, _ := control(o, "route to")
	tcp, _ := control(o, "bind, listen, connect to itself")
	switch {
	case len(there) > 0:
		return a.decide(off, Exercised, seen, "a resolver is in reach: "+few(there))
	case !udp.OK || !tcp.OK:
		return a.decide(silent, NoGrade, seen, "the control failed: loopback is not reached either")
	case len(unknown) > 0 || len(tried) == 0:
		return a.decide(silent, NoGrade, seen, "whether a resolver is in reach did not show: "+onOff(len(unknown) > 0, few(unknown), "none was asked for"))
	}
	return a.decide(on, Exercised, seen, strings.TrimSpace("no resolver is in reach, "+onOff(o.Facts["resolvers"] == "0", "and resolv.conf names none", "those of resolv.conf included")))
}
