package httpserver

import (
	"context"
	"net/netip"
	"slices"
	"strings"
)

const headerForwardedFor = "X-Forwarded-For"

// ClientAddr gives the address that the request of ctx came from, as far as it can be trusted; the zero Addr outside a request.
//
// It is the connection's other end, unless that is one of Options.TrustedProxies: then it is what this proxy appended to
// X-Forwarded-For, and so on from the right for as long as proxies are trusted. What stands left of an address that is not
// trusted was chosen by the client and is not looked at, nor is any other header.
func ClientAddr(ctx context.Context) netip.Addr {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return netip.Addr{}
	}
	return clientAddr(r.remote, r.header[headerForwardedFor], r.op.proxies)
}

func clientAddr(remote string, forwarded []string, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	for i := len(forwarded) - 1; i >= 0; i-- { // a proxy may append a header rather than to the one that is there
		hops := strings.Split(forwarded[i], ",")
		for _, hop := range slices.Backward(hops) {
			if !trusted(addr, proxies) {
				return addr
			}
			before, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return addr // the last one who is known
			}
			addr = before
		}
	}
	return addr
}

// parseHop reads an address, with a port or without, as proxies write them.
func parseHop(text string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddrPort(text)
	return addr.Addr().Unmap().WithZone(""), err == nil
}

func trusted(addr netip.Addr, proxies []netip.Prefix) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// parseProxies reads networks and single addresses; gin has refused what is neither.
func parseProxies(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			all = append(all, p.Masked())
		} else if addr, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		}
	}
	return all
}
