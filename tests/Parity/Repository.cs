namespace ManagedTransformers.Parity;

/// <summary>Places in the repository, found from where the tests run.</summary>
internal static class Repository
{
    public static string Root { get; } = ManagedTransformers.Testing.RepositoryRoot.Path;

    public static string Reference(params string[] parts) => Data("reference", parts);

    /// <summary>A place in a folder of tests/data.</summary>
    public static string Data(string folder, params string[] parts) => Path.Combine([Root, "tests", "data", folder, .. parts]);
}
