using System.Runtime.CompilerServices;
using Orleans.Placement;

namespace ManagedTransformers.Orleans;

/// <summary>One attempt at texts for an encoder, on the silo that the directory chose.</summary>
internal interface IEncoderGrain : IGrainWithGuidKey
{
    /// <summary>Gives the results in parts, in the order of the texts. A stream, because long work outlasts the time in which a call must be answered, and many
    /// vectors the size of a message.</summary>
    /// <exception cref="ModelFingerprintException">The silo has other files than the request was placed for.</exception>
    /// <exception cref="SiloUnavailableException">The silo stops.</exception>
    IAsyncEnumerable<EncoderPart> RunAsync(EncoderRequest request, CancellationToken cancellationToken);

    /// <summary>Nothing more is asked for.</summary>
    [OneWay]
    Task EndAsync();
}

/// <summary>It asks the engine and waits: the model runs on the engine's thread.</summary>
[GrainType(StandingFilter.GrainTypes + "encoder"), ModelPlacement, Immovable, KeepAlive]
internal sealed class EncoderGrain(SiloEngines engines) : CallGrain, IEncoderGrain
{
    public IAsyncEnumerable<EncoderPart> RunAsync(EncoderRequest request, CancellationToken cancellationToken) =>
        GiveAsync(PartsAsync(request, cancellationToken), cancellationToken);

    private async IAsyncEnumerable<EncoderPart> PartsAsync(EncoderRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (EncoderPart part in await EncoderJob.Find(request.Job).PartsAsync(engines, request, cancellationToken))
            yield return part;
    }
}
