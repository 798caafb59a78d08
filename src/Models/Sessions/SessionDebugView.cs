using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;

/// <summary>A session as a debugger opens it.</summary>
internal sealed class SessionDebugView(Session session)
{
    public string State => session.State;
    public PretrainedModel Model => session.Model;
    public PretrainedConfig Config => session.Model.Config;

    /// <summary>Keys and values; null for encoders, and once they were given back.</summary>
    public KeyValueCache? Cache => session.State == "disposed" ? null : session.Cache;

    /// <summary>The tensors of the pass that runs, in the order in which its modules made them.</summary>
    public Workspace Workspace => session.Workspace;

    public KernelOptions Kernels => session.Kernels;
}
