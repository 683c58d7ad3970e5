package proof

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// The network of the pods. Services have addresses that no host has: who connects to one reaches the sidecar.
var (
	podRange     = netip.MustParsePrefix("10.244.0.0/16")
	podGateway   = netip.MustParseAddr("10.244.0.1")
	firstPod     = netip.MustParseAddr("10.244.1.1")
	firstService = netip.MustParseAddr("10.96.0.10")

	// outsideAddress stands for that of any host outside: applications dial it, and their sidecar goes by the name.
	outsideAddress = netip.MustParseAddr("203.0.113.7")
)

const bridgeName = "pods"

// network is a bridge in a network namespace of its own, which pods are connected to. It needs to be root over its network: see
// isolate.
type network struct {
	ns   netns.NsHandle
	next netip.Addr
	made int
}

func newNetwork() (*network, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	n := &network{ns: ns, next: firstPod}
	err = inNamespace(ns, func() error {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName}}
		if err := netlink.LinkAdd(bridge); err != nil {
			return fmt.Errorf("add a bridge: %w", err)
		}
		if err := addAddress(bridge, podGateway); err != nil {
			return err
		}
		// Nobody listens there, and who gets that far is told so at once.
		return addAddress(bridge, outsideAddress)
	})
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// close lets go of the namespace; its links go with it.
func (n *network) close() { _ = n.ns.Close() }

// namespace is a pod's own network: its address and its loopback interface.
type namespace struct {
	address netip.Addr
	ns      netns.NsHandle
}

// connect makes a namespace with the next free address.
func (n *network) connect() (*namespace, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	p := &namespace{address: n.next, ns: ns}
	n.next = n.next.Next()
	n.made++
	if err := p.join(n, fmt.Sprintf("pod%d", n.made)); err != nil {
		p.close()
		return nil, fmt.Errorf("connect %s: %w", p.address, err)
	}
	return p, nil
}

func (p *namespace) join(n *network, port string) error {
	err := inNamespace(n.ns, func() error {
		bridge, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return fmt.Errorf("find the bridge: %w", err)
		}
		link := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: port, MasterIndex: bridge.Attrs().Index},
			PeerName:  "eth0", PeerNamespace: netlink.NsFd(int(p.ns)),
		}
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("add a link: %w", err)
		}
		return netlink.LinkSetUp(link)
	})
	if err != nil {
		return err
	}
	return p.do(func() error {
		loopback, err := netlink.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("find the loopback interface: %w", err)
		}
		if err := netlink.LinkSetUp(loopback); err != nil {
			return fmt.Errorf("set up the loopback interface: %w", err)
		}
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return fmt.Errorf("find eth0: %w", err)
		}
		if err := addAddress(eth, p.address); err != nil {
			return err
		}
		// With a route, connect() chooses a source address before the connection is redirected. It leads nowhere else.
		route := &netlink.Route{LinkIndex: eth.Attrs().Index, Gw: podGateway.AsSlice()}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("add a route: %w", err)
		}
		return nil
	})
}

func addAddress(link netlink.Link, address netip.Addr) error {
	ip := &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(podRange.Bits(), 32)}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ip}); err != nil {
		return fmt.Errorf("add the address %s: %w", ip, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set up %s: %w", link.Attrs().Name, err)
	}
	return nil
}

// close lets go of the namespace. It is gone with the last process in it.
func (p *namespace) close() { _ = p.ns.Close() }

// do calls fn inside of the namespace: sockets and processes that fn makes stay there.
func (p *namespace) do(fn func() error) error { return inNamespace(p.ns, fn) }

// newNamespace makes an empty network namespace.
func newNamespace() (netns.NsHandle, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, err := netns.Get()
	if err != nil {
		return netns.None(), fmt.Errorf("remember the network namespace: %w", err)
	}
	defer old.Close()
	ns, err := netns.New()
	if err != nil {
		return netns.None(), fmt.Errorf("make a network namespace: %w", err)
	}
	return ns, back(old)
}

func inNamespace(ns netns.NsHandle, fn func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, err := netns.Get()
	if err != nil {
		return fmt.Errorf("remember the network namespace: %w", err)
	}
	defer old.Close()
	if err := netns.Set(ns); err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	defer func() {
		if failed := back(old); err == nil {
			err = failed
		}
	}()
	return fn()
}

func back(old netns.NsHandle) error {
	if err := netns.Set(old); err != nil {
		return fmt.Errorf("leave a network namespace: %w", err)
	}
	return nil
}
