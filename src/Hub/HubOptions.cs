namespace ManagedTransformers.Hub;

/// <summary>How a <see cref="HubClient"/> downloads. The defaults are what the environment says, as huggingface_hub reads it.</summary>
public sealed record HubOptions
{
    /// <summary>The hub's address; HF_ENDPOINT, else https://huggingface.co. http is taken for an address of this machine only.</summary>
    public string Endpoint { get; init; } = HubEnvironment.OfProcess.Endpoint;

    /// <summary>The access token, for private and gated models; null for none. HF_TOKEN, else what <c>hf auth login</c> stored. It is sent to
    /// <see cref="Endpoint"/> only, never to where a redirect leads.</summary>
    public string? Token { get; init; } = HubEnvironment.OfProcess.ReadToken();

    /// <summary>Where downloads go.</summary>
    public HubCache Cache { get; init; } = HubCache.Default;

    /// <summary>Whether nothing may be downloaded (HF_HUB_OFFLINE).</summary>
    public bool Offline { get; init; } = HubEnvironment.OfProcess.Offline;

    /// <summary>Whether snapshots link to blobs. Where links are impossible, files take their place by themselves.</summary>
    public bool UseSymlinks { get; init; } = !HubEnvironment.OfProcess.DisableSymlinks;

    /// <summary>How often a request is tried again after a cut connection or an error of the server, with nothing gained in between.</summary>
    public int MaxRetries { get; init; } = 5;

    /// <summary>The wait before the first retry; each further one is twice as long, up to half a minute, or as long as the server asks.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a server may say nothing before the connection counts as cut.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);
}
