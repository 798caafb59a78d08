namespace ManagedTransformers.Interleavings;

/// <summary>How many interleavings are tried.</summary>
internal static class Exploration
{
    /// <summary>So many in each run; MTX_INTERLEAVINGS times as many by command.</summary>
    public static int Schedules(int few) => few * int.Parse(Environment.GetEnvironmentVariable("MTX_INTERLEAVINGS") ?? "1", CultureInfo.InvariantCulture);
}
