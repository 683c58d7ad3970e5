package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// An inventory is a ConfigMap for each part of the platform that says what was applied, so that what is declared no more can be
// removed. It names an object before the object is made, and until it is removed: a run that is killed leaves none behind.
const (
	inventoryNamespace = "kube-system"
	inventoryPrefix    = "scaffold-"
)

// entry is an object in an inventory, written as "apiVersion kind namespace name".
type entry struct{ apiVersion, kind, namespace, name string }

// key is what an object is known by: of several versions of its API, each shows the same one.
func (e entry) key() entry {
	group, err := schema.ParseGroupVersion(e.apiVersion)
	if err != nil {
		return e
	}
	e.apiVersion = group.Group
	return e
}

func (e entry) String() string {
	return strings.Join([]string{e.apiVersion, e.kind, e.namespace, e.name}, " ")
}

func entriesOf(objects []*unstructured.Unstructured) map[entry]entry {
	entries := map[entry]entry{}
	for _, o := range objects {
		e := entry{o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()}
		entries[e.key()] = e
	}
	return entries
}

func (c *client) inventory(ctx context.Context, part string) (map[entry]entry, error) {
	before, err := c.dynamic.Resource(configMaps).Namespace(inventoryNamespace).Get(ctx, inventoryPrefix+part, metav1.GetOptions{})
	if gone(err) {
		return map[entry]entry{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was applied before: %w", err)
	}
	text, _, _ := unstructured.NestedString(before.Object, "data", "objects")
	return parseInventory(text), nil
}

func parseInventory(text string) map[entry]entry {
	entries := map[entry]entry{}
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		const parts = 4
		if len(fields) != parts {
			continue
		}
		e := entry{fields[0], fields[1], fields[2], fields[3]}
		entries[e.key()] = e
	}
	return entries
}

func (c *client) writeInventory(ctx context.Context, part string, entries map[entry]entry) error {
	var lines []string
	for _, e := range entries {
		lines = append(lines, e.String())
	}
	slices.Sort(lines)
	return c.apply(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": inventoryPrefix + part, "namespace": inventoryNamespace},
		"data": map[string]any{"objects": joinLines(lines)},
	}})
}

// record adds objects to the inventory of a part before they are applied.
func (c *client) record(ctx context.Context, part string, objects []*unstructured.Unstructured) error {
	entries, err := c.inventory(ctx, part)
	if err != nil {
		return err
	}
	maps.Copy(entries, entriesOf(objects))
	return c.writeInventory(ctx, part, entries)
}

// kept are kinds that are never removed: what is in them, or of them, may be a person's.
var kept = []string{"Namespace", "PersistentVolumeClaim", "CustomResourceDefinition"}

// prune removes the objects that are in the inventory of a part and not among objects, and gives how many.
func (c *client) prune(ctx context.Context, part string, objects []*unstructured.Unstructured) (int, error) {
	before, err := c.inventory(ctx, part)
	if err != nil {
		return 0, err
	}
	now := entriesOf(objects)
	removed := 0
	for _, key := range slices.SortedFunc(maps.Keys(before), func(a, b entry) int { return strings.Compare(a.kind+" "+a.String(), b.kind+" "+b.String()) }) {
		e := before[key]
		if _, still := now[key]; still || slices.Contains(kept, e.kind) {
			continue
		}
		n, err := c.removeEntry(ctx, e)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, c.writeInventory(ctx, part, now)
}

// removeEntry removes an object, if it is there.
func (c *client) removeEntry(ctx context.Context, e entry) (int, error) {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(e.apiVersion)
	o.SetKind(e.kind)
	o.SetNamespace(e.namespace)
	o.SetName(e.name)
	resource, err := c.resource(o)
	if meta.IsNoMatchError(err) {
		return 0, nil // its kind is gone, and all of that kind with it
	}
	if err != nil {
		return 0, err
	}
	background := metav1.DeletePropagationBackground
	err = resource.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
	if gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("remove %s: %w", title(o), err)
	}
	return 1, nil
}

func joinLines(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// sorted gives the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
