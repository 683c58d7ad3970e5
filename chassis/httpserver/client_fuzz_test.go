package httpserver

import (
	"net/netip"
	"strings"
	"testing"
)

// FuzzClientAddr takes addresses as clients and proxies may write them. Nobody but a trusted proxy has a say.
func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1:5", "9.9.9.9, 1.2.3.4:80,10.0.0.2")
	f.Add("[fe80::1%eth0]:5", "[::ffff:10.0.0.1]:9, fe80::2%25")
	f.Add("1.2.3.4:5", "10.0.0.1")
	proxies := parseProxies([]string{"10.0.0.0/8", "fe80::/10"})
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		peer, err := netip.ParseAddrPort(remote)
		addr := clientAddr(remote, []string{forwarded}, proxies)
		if err != nil {
			if addr.IsValid() {
				t.Fatalf("%q is nobody, and has the address %s", remote, addr)
			}
			return
		}
		own := peer.Addr().Unmap().WithZone("")
		if addr.Zone() != "" || addr.Is4In6() {
			t.Fatalf("%s is not as addresses are counted", addr)
		}
		if !trusted(own, proxies) && addr != own {
			t.Fatalf("%s is no proxy, and %s was taken from its word", own, addr)
		}
		if addr == own {
			return
		}
		said := false
		for hop := range strings.SplitSeq(forwarded, ",") {
			before, ok := parseHop(strings.TrimSpace(hop))
			said = said || ok && before == addr
		}
		if !said {
			t.Fatalf("%s comes from nowhere", addr)
		}
	})
}
