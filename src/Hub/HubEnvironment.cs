namespace ManagedTransformers.Hub;

/// <summary>What huggingface_hub reads from the environment, read in the same way.</summary>
/// <remarks>https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.</remarks>
internal sealed class HubEnvironment(Func<string, string?> variable, string home)
{
    public const string PublicEndpoint = "https://huggingface.co";

    // The hub's tokens have some 40 characters, those of single sign-on some thousand.
    private const int MaxToken = 1 << 16;

    /// <summary>This process's.</summary>
    public static HubEnvironment OfProcess { get; } = new(Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));

    /// <summary>The cache's folder, and which variable says so (null where none does).</summary>
    public (string Folder, string? Because) Cache
    {
        get
        {
            if (Folder("HF_HUB_CACHE") is string cache) return (cache, "HF_HUB_CACHE");
            if (Folder("HUGGINGFACE_HUB_CACHE") is string old) return (old, "HUGGINGFACE_HUB_CACHE");
            (string folder, string? because) = Home;
            return (Path.Combine(folder, "hub"), because);
        }
    }

    public string Endpoint => Value("HF_ENDPOINT")?.TrimEnd('/') ?? PublicEndpoint;
    public bool Offline => Flag("HF_HUB_OFFLINE") || Flag("TRANSFORMERS_OFFLINE");

    /// <summary>Whether snapshots are to hold files instead of links.</summary>
    public bool DisableSymlinks => Flag("HF_HUB_DISABLE_SYMLINKS");

    /// <summary>HF_TOKEN, else what is in the token file that <c>hf auth login</c> writes; null where there is none.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="HubException">It is longer than any token.</exception>
    public string? ReadToken()
    {
        if ((Value("HF_TOKEN") ?? Value("HUGGING_FACE_HUB_TOKEN")) is string token) return token;
        string file = Folder("HF_TOKEN_PATH") ?? Path.Combine(Home.Folder, "token");
        return File.Exists(file) && ReadShort(file).Trim() is { Length: > 0 } stored ? stored : null;
    }

    private static string ReadShort(string file)
    {
        using var reader = new StreamReader(file);
        var read = new char[MaxToken + 1];
        int count = reader.ReadBlock(read);
        return count <= MaxToken ? new string(read, 0, count)
            : throw new HubException($"{file} has more than {MaxToken} characters, which no token has. Look at HF_TOKEN_PATH, or log in again with " +
                "\"hf auth login\".");
    }

    private (string Folder, string? Because) Home =>
        Folder("HF_HOME") is string own ? (own, "HF_HOME")
        : Folder("XDG_CACHE_HOME") is string caches ? (Path.Combine(caches, "huggingface"), "XDG_CACHE_HOME")
        : (Path.Combine(home, ".cache", "huggingface"), null);

    private string? Value(string name) => variable(name)?.Trim() is { Length: > 0 } value ? value : null;

    private bool Flag(string name) => Value(name)?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";

    private string? Folder(string name) => Value(name) switch
    {
        null => null,
        "~" => home,
        ['~', '/' or '\\', .. string rest] => Path.Combine(home, rest),
        string path => Path.GetFullPath(path),
    };
}
