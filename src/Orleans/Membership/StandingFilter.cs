using System.Text;

namespace ManagedTransformers.Orleans;

/// <summary>A silo that does not know whether it belongs to the cluster neither answers nor asks: the grains of this library refuse, and so do calls to
/// them, those included that wait for an answer.</summary>
internal sealed class StandingFilter(SiloStanding standing, ILocalSiloDetails silo) : IIncomingGrainCallFilter, IOutgoingGrainCallFilter
{
    /// <summary>What the grain types of this library begin with.</summary>
    public const string GrainTypes = "managed-transformers.";

    private static readonly byte[] s_grainTypes = Encoding.UTF8.GetBytes(GrainTypes);

    public Task Invoke(IIncomingGrainCallContext context) =>
        IsOurs(context) && !standing.IsConfirmed ? Task.FromException(standing.Refusal(silo.Name)) : context.Invoke();

    public Task Invoke(IOutgoingGrainCallContext context) => IsOurs(context) ? InvokeOursAsync(context) : context.Invoke();

    private async Task InvokeOursAsync(IOutgoingGrainCallContext context)
    {
        CancellationToken lost = standing.Lost;
        if (!standing.IsConfirmed)
            throw standing.Refusal(silo.Name);
        Task answer = context.Invoke();
        try
        {
            await answer.WaitAsync(lost).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            answer.Ignore();
            throw standing.Refusal(silo.Name);
        }
    }

    private static bool IsOurs(IGrainCallContext context) => context.TargetId.Type.AsSpan().StartsWith(s_grainTypes);
}
