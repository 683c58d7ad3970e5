package flag

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/open-feature/go-sdk/openfeature"
)

// provider is Flags as OpenFeature sees them.
type provider struct{ *Flags }

var (
	_ openfeature.FeatureProvider = provider{}
	_ openfeature.EventHandler    = provider{}
)

// Metadata implements openfeature.FeatureProvider.
func (provider) Metadata() openfeature.Metadata { return openfeature.Metadata{Name: "trellis"} }

// Hooks implements openfeature.FeatureProvider.
func (provider) Hooks() []openfeature.Hook { return nil }

// EventChannel implements openfeature.EventHandler: a changed file is an event.
func (p provider) EventChannel() <-chan openfeature.Event { return p.events }

// BooleanEvaluation implements openfeature.FeatureProvider.
func (p provider) BooleanEvaluation(_ context.Context, name string, fallback bool, who openfeature.FlattenedContext) openfeature.BoolResolutionDetail {
	value, detail := evaluate(p.Flags, name, fallback, who)
	return openfeature.BoolResolutionDetail{Value: value, ProviderResolutionDetail: detail}
}

// StringEvaluation implements openfeature.FeatureProvider.
func (p provider) StringEvaluation(_ context.Context, name, fallback string, who openfeature.FlattenedContext) openfeature.StringResolutionDetail {
	value, detail := evaluate(p.Flags, name, fallback, who)
	return openfeature.StringResolutionDetail{Value: value, ProviderResolutionDetail: detail}
}

// FloatEvaluation implements openfeature.FeatureProvider; there are no such flags.
func (p provider) FloatEvaluation(_ context.Context, name string, fallback float64, who openfeature.FlattenedContext) openfeature.FloatResolutionDetail {
	value, detail := evaluate(p.Flags, name, fallback, who)
	return openfeature.FloatResolutionDetail{Value: value, ProviderResolutionDetail: detail}
}

// IntEvaluation implements openfeature.FeatureProvider; there are no such flags.
func (p provider) IntEvaluation(_ context.Context, name string, fallback int64, who openfeature.FlattenedContext) openfeature.IntResolutionDetail {
	value, detail := evaluate(p.Flags, name, fallback, who)
	return openfeature.IntResolutionDetail{Value: value, ProviderResolutionDetail: detail}
}

// ObjectEvaluation implements openfeature.FeatureProvider; there are no such flags.
func (p provider) ObjectEvaluation(_ context.Context, name string, fallback any, who openfeature.FlattenedContext) openfeature.InterfaceResolutionDetail {
	_, detail := evaluate(p.Flags, name, struct{}{}, who)
	return openfeature.InterfaceResolutionDetail{Value: fallback, ProviderResolutionDetail: detail}
}

// evaluate gives a flag's value and why it has it.
func evaluate[T any](f *Flags, name string, fallback T, who openfeature.FlattenedContext) (T, openfeature.ProviderResolutionDetail) {
	d, known := f.current.Load().flags[name]
	if !known {
		return fallback, openfeature.ProviderResolutionDetail{
			Reason: openfeature.ErrorReason, ResolutionError: openfeature.NewFlagNotFoundResolutionError("there is no flag " + name),
		}
	}
	key, _ := who[openfeature.TargetingKey].(string)
	value, reason := d.of(name, key)
	typed, ok := value.(T)
	if !ok {
		return fallback, openfeature.ProviderResolutionDetail{
			Reason:          openfeature.ErrorReason,
			ResolutionError: openfeature.NewTypeMismatchResolutionError(fmt.Sprintf("flag %s is a %T", name, value)),
		}
	}
	return typed, openfeature.ProviderResolutionDetail{Reason: reason, Variant: fmt.Sprint(value)}
}

// of gives the flag's value for a key. Without a key, nobody is named and nobody belongs to a share, unless it is the whole.
func (d definition) of(name, key string) (any, openfeature.Reason) {
	if value, named := d.Keys[key]; named && key != "" {
		return value, openfeature.TargetingMatchReason
	}
	if d.Rollout == nil {
		return d.Value, openfeature.StaticReason
	}
	if d.Rollout.Percent == 100 || key != "" && place(name, key) < d.Rollout.Percent/100 {
		return d.Rollout.Value, openfeature.SplitReason
	}
	return d.Value, openfeature.SplitReason
}

// place is where a key stands for a flag, from 0 to below 1. It must never change: who has a feature would change with it.
func place(name, key string) float64 {
	sum := sha256.Sum256([]byte(name + "\x00" + key))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53) // 53 bits, which a float64 holds
}
