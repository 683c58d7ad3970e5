package local

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
)

// mortal opens connections until it dies.
type mortal struct {
	mu   sync.Mutex
	dead bool
	open []net.Conn
}

func (m *mortal) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	m.open = append(m.open, conn)
	return conn, nil
}

func (m *mortal) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	for _, conn := range m.open {
		_ = conn.Close()
	}
}

// consumeGroup takes part in a group until ctx ends, and tells with how many partitions.
func consumeGroup(ctx context.Context, t *testing.T, brokers []string, dial func(context.Context, string, string) (net.Conn, error)) <-chan int {
	t.Helper()
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: "group", Brokers: brokers, Topics: []string{"topic"}, Dialer: &kafka.Dialer{DialFunc: dial, Timeout: time.Second},
		HeartbeatInterval: time.Second, SessionTimeout: 3 * time.Second, // so that the first hears late of the second
		RebalanceTimeout: 10 * time.Second,
		JoinGroupBackoff: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	partitions := make(chan int, 100)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			generation, err := group.Next(ctx)
			if ctx.Err() != nil {
				_ = group.Close()
				return
			}
			if err == nil {
				partitions <- len(generation.Assignments["topic"])
			}
		}
	})
	t.Cleanup(done.Wait)
	return partitions
}

func TestMemberThatDiesWhileItJoinsLeavesItsPartitions(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "topic"), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	t.Cleanup(expireMembers(cluster, 4*time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	survivor := consumeGroup(ctx, t, cluster.ListenAddrs(), new(net.Dialer).DialContext)
	if n := <-survivor; n != 3 {
		t.Fatalf("the only member has %d partitions", n)
	}

	// The other waits to join, as long as the first does not; and dies then.
	short, stop := context.WithCancel(ctx)
	t.Cleanup(stop)
	var victim mortal
	consumeGroup(short, t, cluster.ListenAddrs(), victim.dial)
	for info := cluster.GroupInfo("group"); info.State != "PreparingRebalance" || len(info.Members) != 2; info = cluster.GroupInfo("group") {
		if ctx.Err() != nil {
			t.Fatalf("the victim does not join: %+v", info)
		}
	}
	victim.die()
	stop()

	for deadline := time.After(30 * time.Second); ; {
		select {
		case n := <-survivor:
			if n == 3 {
				return
			}
		case <-deadline:
			t.Fatalf("the survivor does not get all partitions again: %+v", cluster.GroupInfo("group"))
		}
	}
}
