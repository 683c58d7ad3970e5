package local

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/trellis-mesh/trellis/internal/topic"
)

// silence is how long a member of a consumer group may be unheard. It is the session timeout of our consumers, which beat each second.
const silence = 10 * time.Second

// startKafka keeps its events in dir: after a restart they must fit what the services' databases say was sent.
func (h *host) startKafka(port int, dir string, topics []string) error {
	cluster, err := kfake.NewCluster(
		kfake.DataDir(dir),
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.SeedTopics(topic.Partitions, topics...),
		kfake.GroupMinSessionTimeout(100*time.Millisecond),
	)
	if err != nil {
		return fmt.Errorf("start kafka: %w: if its data is damaged, remove %s", err, dir)
	}
	h.brokers = cluster.ListenAddrs()
	h.onClose(cluster.Close)
	h.onClose(expireMembers(cluster, silence))
	return nil
}

// expireMembers removes members of consumer groups that have not been heard for so long, until the function that it returns is called.
//
// kfake does so, too, but for a member that dies while it waits to join: its timer starts when the answer is sent, which fails, and such
// a member, with its share of the partitions, would stay for ever. A real broker starts the timer in any case.
func expireMembers(cluster *kfake.Cluster, silence time.Duration) (stop func()) {
	m := &members{cluster: cluster, client: &kafka.Client{Addr: kafka.TCP(cluster.ListenAddrs()...)}, heard: map[string]map[string]time.Time{}}
	cluster.ControlKey(int16(kmsg.Heartbeat), m.beat)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(silence / 10)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				m.expire(ctx, now, silence)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// members of consumer groups, and when each was heard last.
type members struct {
	cluster *kfake.Cluster
	client  *kafka.Client

	mu    sync.Mutex
	heard map[string]map[string]time.Time // by group and member
}

// beat notes a heartbeat, which the cluster then handles as ever.
func (m *members) beat(request kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the signature is kfake's
	if beat, ok := request.(*kmsg.HeartbeatRequest); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.heard[beat.Group] == nil {
			m.heard[beat.Group] = map[string]time.Time{}
		}
		m.heard[beat.Group][beat.MemberID] = time.Now()
	}
	return nil, nil, false
}

func (m *members) expire(ctx context.Context, now time.Time, silence time.Duration) {
	for group, silent := range m.silent(now, silence) {
		request := &kafka.LeaveGroupRequest{GroupID: group}
		for _, id := range silent {
			request.Members = append(request.Members, kafka.LeaveGroupRequestMember{ID: id})
		}
		_, _ = m.client.LeaveGroup(ctx, request) // who could not leave is silent the next time, too
	}
}

// silent are the members of stable groups that were not heard for so long; a group that is forming again has time limits that work.
func (m *members) silent(now time.Time, silence time.Duration) map[string][]string {
	m.mu.Lock()
	groups := make([]string, 0, len(m.heard))
	for group := range m.heard {
		groups = append(groups, group)
	}
	m.mu.Unlock()
	all := map[string][]string{}
	for _, group := range groups {
		info := m.cluster.GroupInfo(group) // not under the lock, which the cluster takes when it tells of a heartbeat
		if info == nil {
			continue
		}
		m.mu.Lock()
		before, current := m.heard[group], map[string]time.Time{}
		for _, member := range info.Members {
			last, known := before[member.MemberID]
			if !known || info.State != "Stable" {
				last = now
			}
			current[member.MemberID] = last
			if now.Sub(last) > silence {
				all[group] = append(all[group], member.MemberID)
			}
		}
		m.heard[group] = current
		m.mu.Unlock()
	}
	return all
}
