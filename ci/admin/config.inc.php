<?php
// phpMyAdmin beside one server on loopback; the port comes by the environment.
$cfg['blowfish_secret'] = '0123456789abcdef0123456789abcdef';
$cfg['Servers'][1] = [
    'auth_type' => 'cookie',
    'host' => '127.0.0.1',
    'port' => getenv('ADMIN_PORT'),
    'compress' => false,
];
$cfg['TempDir'] = getenv('ADMIN_TEMP');
$cfg['PmaNoRelation_DisableWarning'] = true;
$cfg['CheckConfigurationPermissions'] = false;
$cfg['SendErrorReports'] = 'never';
$cfg['VersionCheck'] = false;
