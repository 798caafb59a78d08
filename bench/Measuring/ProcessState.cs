using System.Globalization;

namespace ManagedTransformers.Bench;

/// <summary>What a process holds, as Linux tells it.</summary>
/// <param name="Resident">Bytes of memory that are in RAM (VmRSS).</param>
/// <param name="Private">Those of them that no file backs (RssAnon).</param>
/// <param name="Files">Open files and sockets.</param>
/// <param name="Threads">Threads, without those of the thread pool and of tiered compilation, which come and go.</param>
/// <param name="Mappings">Ranges of addresses that are mapped.</param>
/// <param name="WeightMappings">Those of them that are weight files.</param>
internal sealed record ProcessState(long Resident, long Private, int Files, int Threads, int Mappings, int WeightMappings)
{
    public static ProcessState Of(int process)
    {
        string proc = $"/proc/{process}";
        Dictionary<string, string> status = File.ReadLines($"{proc}/status").Select(line => line.Split(':', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        string[] maps = File.ReadAllLines($"{proc}/maps");
        return new ProcessState(Bytes(status["VmRSS"]), Bytes(status["RssAnon"]), Directory.GetFiles($"{proc}/fd").Length,
            Directory.GetDirectories($"{proc}/task").Count(IsOwn), maps.Length,
            maps.Count(line => line.Contains(".safetensors", StringComparison.Ordinal)));
    }

    /// <summary>The most bytes of RAM that this process had at once (VmHWM); null where the system does not say.</summary>
    public static long? LargestResident()
    {
        const string Status = "/proc/self/status", Key = "VmHWM:";
        return File.Exists(Status) && File.ReadLines(Status).FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal)) is string line
            ? Bytes(line[Key.Length..])
            : null;
    }

    private static bool IsOwn(string task)
    {
        try
        {
            string name = File.ReadAllText($"{task}/comm");
            return !name.StartsWith(".NET TP", StringComparison.Ordinal) && !name.StartsWith(".NET Tiered", StringComparison.Ordinal);
        }
        catch (IOException)                       // it has ended meanwhile
        {
            return false;
        }
    }

    private static long Bytes(string kilobytes) => long.Parse(kilobytes.Trim().Split(' ')[0], CultureInfo.InvariantCulture) << 10;
}
