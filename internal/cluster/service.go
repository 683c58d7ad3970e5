package cluster

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// builtServices is what the services' kustomizations make, with what only this cluster has: its images, and its first client.
func (p *Platform) builtServices(ctx context.Context, images map[string]string) ([]*unstructured.Unstructured, error) {
	objects, err := p.serviceObjects()
	if err != nil {
		return nil, err
	}
	p.withImages(objects, images)
	p.withFirstClient(objects)
	return objects, p.keepStable(ctx, objects)
}

// withImages puts the images that were built into the services' workloads, instead of those that a registry would have.
func (p *Platform) withImages(objects []*unstructured.Unstructured, images map[string]string) {
	built := map[string]string{} // by the name without a tag
	for name, reference := range images {
		built[path.Join(p.Model.Platform.Registry, p.Model.Platform.Name, name)] = reference
	}
	for _, o := range objects {
		containers(o, func(c map[string]any) {
			image, _ := c["image"].(string)
			name := image
			if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
				name = image[:colon]
			}
			if reference, ours := built[name]; ours {
				c["image"] = reference
			}
		})
	}
}

// keepStable leaves the first version of a service that has a canary as it runs: what was built now is the canary's program, and
// meets the share of requests that the canary gets.
func (p *Platform) keepStable(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		s := p.Model.Service(o.GetLabels()["app"])
		if o.GetKind() != "Deployment" || s == nil || s.Traffic.Canary == nil || o.GetLabels()["version"] != s.Traffic.Version {
			continue
		}
		resource, err := p.client.resource(o)
		if err != nil {
			return err
		}
		live, err := resource.Get(ctx, o.GetName(), metav1.GetOptions{})
		if gone(err) {
			continue // it starts together with its canary
		}
		if err != nil {
			return err
		}
		running := imagesOf([]*unstructured.Unstructured{live})
		containers(o, func(c map[string]any) {
			if c["name"] == s.Name && len(running) == 1 {
				c["image"] = running[0]
			}
		})
	}
	return nil
}

// migrate applies what the services' pods and jobs need, identities and rules, runs their migration jobs and waits for them, so that the
// pods that come after find their tables.
func (p *Platform) migrate(ctx context.Context, say sayer, services []*unstructured.Unstructured) (string, error) {
	needed, jobs, _ := inTurn(services)
	if err := p.client.record(ctx, "services", services); err != nil {
		return "", err
	}
	if err := p.client.applyAll(ctx, needed, say); err != nil {
		return "", err
	}
	if len(jobs) == 0 {
		return "nothing to migrate", nil
	}
	ran := 0
	for _, job := range jobs {
		fresh, err := p.client.freshJob(ctx, job)
		if err != nil {
			return "", err
		}
		if fresh {
			ran++
		}
	}
	if err := p.client.waitReady(ctx, jobs, say); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of %d jobs had to run", ran, len(jobs)), nil
}

// inTurn parts the services' objects by when they are made: what a pod or a job needs to run, the jobs, and then the pods and what
// counts them.
func inTurn(services []*unstructured.Unstructured) (needed, jobs, workloads []*unstructured.Unstructured) {
	for _, o := range services {
		switch o.GetKind() {
		case "Job":
			jobs = append(jobs, o)
		case "Deployment", "StatefulSet", "DaemonSet", "CronJob", "HorizontalPodAutoscaler", "PodDisruptionBudget":
			workloads = append(workloads, o)
		default:
			needed = append(needed, o)
		}
	}
	return needed, jobs, workloads
}

// freshJob makes a job, unless it was made for the same image before. A job that was made for another one is removed first: jobs
// can't be changed.
func (c *client) freshJob(ctx context.Context, job *unstructured.Unstructured) (bool, error) {
	resource, err := c.resource(job)
	if err != nil {
		return false, err
	}
	there, err := resource.Get(ctx, job.GetName(), metav1.GetOptions{})
	switch {
	case gone(err):
	case err != nil:
		return false, err
	case slices.Equal(imagesOf([]*unstructured.Unstructured{there}), imagesOf([]*unstructured.Unstructured{job})) && condition(there, "Failed") != "True":
		return false, nil
	default:
		background := metav1.DeletePropagationBackground
		if err := resource.Delete(ctx, job.GetName(), metav1.DeleteOptions{PropagationPolicy: &background}); err != nil && !gone(err) {
			return false, fmt.Errorf("remove the last %s: %w", title(job), err)
		}
		err := until(ctx, 200*time.Millisecond, func(ctx context.Context) error {
			_, err := resource.Get(ctx, job.GetName(), metav1.GetOptions{})
			if gone(err) {
				return nil
			}
			return fmt.Errorf("%s is still there: %w", title(job), err)
		})
		if err != nil {
			return false, err
		}
	}
	err = c.apply(ctx, job)
	return true, err
}

// applyServices applies the services' workloads, for which migrate has made all else, removes what is declared no more, and waits until the
// pods of all are replaced.
func (p *Platform) applyServices(ctx context.Context, say sayer, services []*unstructured.Unstructured) (string, error) {
	_, jobs, workloads := inTurn(services)
	if err := p.client.applyAll(ctx, workloads, say); err != nil {
		return "", err
	}
	removed, err := p.client.prune(ctx, "services", services)
	if err != nil {
		return "", err
	}
	if err := p.client.waitReady(ctx, workloads, say); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d services, %d objects%s", len(p.Model.Services), len(services)-len(jobs), alsoRemoved(removed)), nil
}
