using System.Diagnostics;
using System.Net;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Three machines on one: network namespaces with an address each, on a bridge that this process is on too.</summary>
internal sealed class Machines : IDisposable
{
    private const string Bridge = "mtx-fleet";

    public Machines()
    {
        Remove();
        Ip($"link add {Bridge} type bridge");
        Ip($"addr add {Caller}/24 dev {Bridge}");
        Ip($"addr add {Redis}/24 dev {Bridge}");
        Ip($"link set {Bridge} up");
        for (int i = 0; i < 3; i++)
        {
            Ip($"netns add {Name(i)}");
            Ip($"link add {Name(i)} type veth peer name eth0 netns {Name(i)}");
            Ip($"link set {Name(i)} master {Bridge} up");
            Ip($"-n {Name(i)} addr add {Address(i)}/24 dev eth0");
            Ip($"-n {Name(i)} link set eth0 up");
            Ip($"-n {Name(i)} link set lo up");
        }
    }

    public static IPAddress Caller => IPAddress.Parse("10.77.24.1");

    public static IPAddress Redis => IPAddress.Parse("10.77.24.2");

    public static string Name(int machine) => $"{Bridge}-{machine}";

    public static IPAddress Address(int machine) => IPAddress.Parse($"10.77.24.{11 + machine}");

    /// <summary>Skips a test where there can be none.</summary>
    public static void Require()
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root" || !File.Exists("/usr/sbin/ip"))
            Assert.Ignore("Network namespaces need Linux, root and /usr/sbin/ip (apt-get install iproute2).");
    }

    /// <summary>Loses what a machine sends to these addresses, without a word.</summary>
    public static void Cut(int machine, params IEnumerable<IPAddress> from)
    {
        foreach (IPAddress address in from)
            Ip($"-n {Name(machine)} route add blackhole {address}/32");
    }

    public static void Heal(int machine)
    {
        foreach (IPAddress address in Enumerable.Range(0, 3).Select(Address).Append(Redis).Append(Caller))
            Ip($"-n {Name(machine)} route del blackhole {address}/32", mayFail: true);
    }

    public void Dispose() => Remove();

    private static void Remove()
    {
        for (int i = 0; i < 3; i++)
            Ip($"netns del {Name(i)}", mayFail: true);
        Ip($"link del {Bridge}", mayFail: true);
    }

    private static void Ip(string arguments, bool mayFail = false)
    {
        using Process ip = Process.Start(new ProcessStartInfo("/usr/sbin/ip", arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        string errors = ip.StandardError.ReadToEnd();
        ip.WaitForExit();
        if (ip.ExitCode != 0 && !mayFail)
            throw new InvalidOperationException($"ip {arguments}: {errors}");
    }
}
