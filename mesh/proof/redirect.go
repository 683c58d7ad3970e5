package proof

import (
	"fmt"
	"net"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The ports of a sidecar that connections out of a pod and into it are redirected to.
const (
	outboundPort = 15001
	inboundPort  = 15006
)

// envoyMark is on the connections that Envoy makes.
const envoyMark = 1337

// redirect sends the connections of the namespace through its sidecar, as istio-init does. Istio tells Envoy's own connections by
// their user; here there is but one, so they carry a mark. Left alone are also connections to the addresses of pods: applications
// know services, and a test that goes past the sidecar must be able to.
func (p *namespace) redirect() error {
	return p.do(func() error {
		c, err := nftables.New()
		if err != nil {
			return fmt.Errorf("open nftables: %w", err)
		}
		table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "istio"})
		chain := func(name string, hook *nftables.ChainHook) *nftables.Chain {
			return c.AddChain(&nftables.Chain{
				Name: name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
			})
		}
		out := chain("output", nftables.ChainHookOutput)
		own := &net.IPNet{IP: podRange.Addr().AsSlice(), Mask: net.CIDRMask(podRange.Bits(), 32)}
		_, loopback, _ := net.ParseCIDR("127.0.0.0/8")
		c.AddRule(&nftables.Rule{Table: table, Chain: out, Exprs: flat(isTCP(), notMarked(), notTo(own), notTo(loopback), redirectTo(outboundPort))})
		c.AddRule(&nftables.Rule{Table: table, Chain: chain("prerouting", nftables.ChainHookPrerouting), Exprs: flat(isTCP(), redirectTo(inboundPort))})
		if err := c.Flush(); err != nil {
			return fmt.Errorf("redirect connections: %w", err)
		}
		return nil
	})
}

func flat(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func isTCP() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
	}
}

func notMarked() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(envoyMark)},
	}
}

// notTo matches packets to addresses outside of the range.
func notTo(ips *net.IPNet) []expr.Any {
	const destination = 16 // offset in the header of IPv4
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: destination, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: ips.Mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: ips.IP.To4()},
	}
}

func redirectTo(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.Redir{RegisterProtoMin: 1},
	}
}
